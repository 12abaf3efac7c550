"""What a product offers: layers with their names and numbers, a layer of clouds, and from where and when it is."""

from dataclasses import dataclass
from typing import Literal

from rsgan.geo.products.clouds import CloudLayer

Quantity = Literal["reflectance", "radiance", "kelvin"]
"""What ``dn * scale + offset`` of a layer is: reflectance 0..1 nominal, W / (m2 sr um), or temperature in kelvin."""


@dataclass(frozen=True)
class Layer:
    """One band of a product at its native gsd.

    Attributes:
        path: What rasterio opens; a file, or GDAL's name of a part of one.
        index: 1-based number of the band in it.
        name: Name of the band in the catalogue.
        gsd_m: Metres per pixel.
        scale: Physical units per stored unit.
        offset: Physical value of the stored number 0.
        nodata: Stored number that says "no data"; None where the product declares none.
        quantity: What `scale` and `offset` lead to.
    """

    path: str
    index: int
    name: str
    gsd_m: float
    scale: float
    offset: float
    nodata: float | None
    quantity: Quantity = "reflectance"

    @property
    def unit(self) -> str | None:
        """Unit of `quantity`; None for reflectance, which has none."""
        return {"kelvin": "K", "radiance": "W/(m2 sr um)"}.get(self.quantity)


@dataclass(frozen=True)
class MissingLayer:
    """A band that the metadata name but whose file is not there.

    Attributes:
        name: Name of the band in the catalogue.
        path: The file that was expected.
    """

    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.name} ({self.path})"


@dataclass(frozen=True)
class Product:
    """What a product offers.

    Attributes:
        name: The product's own name, without ``.SAFE``.
        layers: The bands whose files are there, in the order of the sensor's numbering.
        missing: The bands whose files are not.
        clouds: The layer that says where clouds are; None when there is none.
        platform: Name of the sensor in the catalogue.
        date: Day of acquisition, as in ``2023-08-23``.
        tile: ``T34UCF`` for Sentinel-2; path and row for Landsat, as in ``022049``.
    """

    name: str
    layers: tuple[Layer, ...]
    missing: tuple[MissingLayer, ...]
    clouds: CloudLayer | None
    platform: str
    date: str
    tile: str
