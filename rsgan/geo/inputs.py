"""What the user gives as one scene: rasters and products, opened, as bands that may be chosen and layers of clouds."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from rsgan.catalogue import sensor
from rsgan.errors import BandError, InputError
from rsgan.geo.cloud_mask import LAYERS, CloudMask, cloud_layer_of
from rsgan.geo.files import BandAt, offered_bands, open_raster
from rsgan.geo.grid import Grid
from rsgan.geo.products import CloudLayer, Layer, MissingLayer, Product, expand, refuse_mixed
from rsgan.geo.products.opening import open_rasters, refuse_idle_date
from rsgan.radiometry import DTYPES


@dataclass(frozen=True)
class Inputs:
    """Open rasters and products.

    Attributes:
        offered: All bands that may be chosen, input by input.
        missing: Bands of products whose files are not there, under the names by which bands are asked for.
        clouds: Layers of clouds, each with its open file; None for that of a product, which is opened when it is read.
    """

    offered: tuple[BandAt, ...]
    missing: tuple[MissingLayer, ...]
    clouds: tuple[tuple[CloudLayer, Any], ...]

    @classmethod
    def open(
        cls,
        names: Sequence[str],
        opening: ExitStack,
        *,
        keep_alpha: bool,
        sensor_name: str,
        date: str | None = None,
        dtypes: Sequence[str] = DTYPES,
    ) -> "Inputs":
        """Open everything that was given.

        Args:
            names: Files, products, or whatever GDAL opens.
            opening: Takes the open files.
            keep_alpha: Whether alpha bands may be chosen too.
            sensor_name: Sensor of the catalogue by whose names bands are called.
            date: Which date of a NetCDF file or Zarr group that has several (``--date``).
            dtypes: Types of the variables of NetCDF files and Zarr groups that are taken for rasters.

        Raises:
            InputError: If one is missing, damaged or no raster, or two are of different days or tiles.
        """
        refuse_idle_date(names, date)
        sources = [(name, expand(name)) for name in names]
        refuse_mixed(sources)
        offered: list[BandAt] = []
        missing: list[MissingLayer] = []
        clouds: list[tuple[CloudLayer, Any]] = []
        for name, product in sources:
            if product is None:
                files = opening.enter_context(open_rasters(name, date, dtypes))
                offered += offered_bands(files, keep_alpha=keep_alpha, sensor_name=sensor_name)
                clouds += [layer for path, dataset in files for layer in _clouds_in(path, dataset)]
                continue
            offered += [_offer(layer, product, opening, sensor_name) for layer in product.layers]
            missing += [MissingLayer(_name(lost.name, product, sensor_name), lost.path) for lost in product.missing]
            clouds += [] if product.clouds is None else [(product.clouds, None)]
        return cls(tuple(offered), tuple(missing), tuple(clouds))

    @property
    def bands(self) -> tuple[BandAt, ...]:
        """The bands that are no layers of clouds."""
        taken = {(layer.path, index) for layer, _ in self.clouds for index in layer.indexes}
        return tuple(band for band in self.offered if (band.path, band.index) not in taken)

    def refuse_missing(self, asked: Sequence[str]) -> None:
        """Say which file of a product is not there, when its band is wanted.

        Raises:
            BandError: If a band that is asked for is one of those.
        """
        names = {name.casefold() for name in asked}
        lost = [layer for layer in self.missing if layer.name.casefold() in names]
        if lost:
            raise BandError(
                f"the product has no file for {', '.join(map(str, lost))}. Download the product again, or choose "
                f"another model or other bands: its other bands can be used."
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say when every band is taken: which of a product's are not there."""
        if not self.missing:
            return ()
        return (f"the product has no file for {', '.join(map(str, self.missing))}; left out.",)

    def masks(self, grid: Grid, opening: ExitStack, label: str) -> tuple[CloudMask, ...]:
        """The layers of clouds, for the pixels of a scene.

        Args:
            grid: Of the scene.
            opening: Takes the files that are opened.
            label: What messages call the scene.

        Raises:
            InputError: If there is none, or its file is damaged.
            GridError: If one does not nest with the scene.
        """
        if not self.clouds:
            raise InputError(
                f"--mask-clouds: {label} has no layer of clouds. Those that count are {LAYERS}: in a product, as a "
                f"band of that name in a file, or as a file of that name given with the others. Give one, or leave "
                f"--mask-clouds out."
            )
        return tuple(
            CloudMask.on(grid, layer, dataset or opening.enter_context(open_raster(layer.path)))
            for layer, dataset in dict(self.clouds).items()  # images of one product share one layer
        )


def _clouds_in(path: str, dataset: Any) -> list[tuple[CloudLayer, Any]]:  # noqa: ANN401 - rasterio ships no types
    found = (cloud_layer_of(path, i, dataset.descriptions[i - 1], dataset.count) for i in dataset.indexes)
    return [(layer, dataset) for layer in found if layer is not None]


def _offer(layer: Layer, product: Product, opening: ExitStack, sensor_name: str) -> BandAt:
    dataset = opening.enter_context(open_raster(layer.path))
    return BandAt(layer.path, dataset, layer.index, _name(layer.name, product, sensor_name), None, layer)


def _name(name: str, product: Product, sensor_name: str) -> str:
    """What a band is called where bands have the names of a sensor: its own name, or its colour if they are of another.

    B05 of Landsat is near infrared, B05 of Sentinel-2 red edge: the number must not stand for the band.
    """
    family = product.platform.split("-")[0]
    if sensor_name.split("-")[0] == family:
        return name
    return sensor(product.platform).band(name).common_name
