"""STAC items: JSON that says which raster is which band, and how its numbers become reflectance."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rsgan.catalogue import SENSORS, Sensor
from rsgan.errors import InputError
from rsgan.geo.products.clouds import CloudKind, CloudLayer
from rsgan.geo.products.product import Layer, Product

if TYPE_CHECKING:
    from pystac import Asset, Item

_CLOUDS: Final[Mapping[str, CloudKind]] = {"scl": "scl", "qa_pixel": "qa_pixel", "fmask": "hls_fmask"}
"""Assets that say where clouds are, and whose codes they hold."""
_LARGEST: Final = 2**24
"""Bytes of a JSON file that is looked into."""


def is_item(source: str | Path) -> bool:
    """Whether a source is a STAC item: by its name where it is an address, by its content where it is a file."""
    name = str(source)
    if not name.split("?")[0].casefold().endswith((".json", ".geojson")):
        return False
    path = Path(name)
    if not path.is_file():
        return "://" in name
    if path.stat().st_size > _LARGEST:
        return False
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "stac_version" in content


def read_item(source: str | Path) -> Product:
    """What a STAC item offers: its assets of one band each.

    Args:
        source: Path or address of the item's JSON.

    Raises:
        InputError: If pystac is not installed, the item cannot be read, its platform is not in the catalogue, or no
            asset of a band says how its numbers become reflectance.
    """
    item = _opened(str(source))
    sensor = _sensor(item, str(source))
    layers: dict[str, Layer] = {}
    unscaled = []
    for key, asset, name in _bands(item, sensor):
        layer = _layer(asset, name, sensor)
        if layer is None:
            unscaled.append(key)
        else:
            layers.setdefault(name, layer)
    if not layers:
        found = f"of its bands {', '.join(unscaled)} none has" if unscaled else "it has no asset of one band with"
        raise InputError(
            f"{source}: {found} a scale (raster:bands or bands with scale and offset). Give the addresses of the "
            "assets themselves, with --bands and --reflectance-scale."
        )
    order = [band.name for band in sensor.bands]
    properties = item.properties
    tile = str(properties.get("s2:mgrs_tile") or properties.get("grid:code", item.id)).removeprefix("MGRS-")
    clouds = next((CloudLayer(_href(a), (1,), _CLOUDS[k.casefold()]) for k, a in item.assets.items()
                   if k.casefold() in _CLOUDS), None)  # fmt: skip
    date = "" if item.datetime is None else item.datetime.date().isoformat()
    ordered = tuple(sorted(layers.values(), key=lambda layer: order.index(layer.name)))
    return Product(item.id, ordered, (), clouds, sensor.name, date, f"T{tile}" if tile[:2].isdigit() else tile)


def _opened(source: str) -> "Item":
    try:
        import pystac
    except ImportError as error:
        raise InputError(
            f"{source} is a STAC item, for which pystac is needed. Install it: pip install 'rsgan[stac]'; or give the "
            "rasters that it names."
        ) from error
    try:
        item = pystac.Item.from_file(source)
        item.make_asset_hrefs_absolute()
    except Exception as error:  # pystac raises whatever a missing key leads to
        raise InputError(
            f"{source} cannot be read as a STAC item ({type(error).__name__}: {error}). Give an item, not a catalogue "
            "or a search, or the rasters that it names."
        ) from error
    return item


def _sensor(item: "Item", source: str) -> Sensor:
    platform = str(item.properties.get("platform", "")).casefold().replace("_", "-")
    if platform not in SENSORS:
        raise InputError(
            f"{source} is of platform {platform or 'unknown'!r}; expected one of {' '.join(SENSORS)}. Give the "
            "addresses of its assets themselves."
        )
    return SENSORS[platform]


def _bands(item: "Item", sensor: Sensor) -> Iterator[tuple[str, "Asset", str]]:
    """Assets of one band of the sensor: key, asset and the band's name; reflectance before anything of that name."""
    for key, asset in item.assets.items():
        told = asset.extra_fields.get("bands") or asset.extra_fields.get("eo:bands") or [{}]
        if len(told) != 1 or {"thumbnail", "overview", "visual"} & {*(asset.roles or ())}:
            continue
        entry = told[0] if isinstance(told[0], dict) else {}
        names = (entry.get("name"), key, entry.get("common_name"), entry.get("eo:common_name"))
        found = next((band for name in names if name and (band := sensor.find(str(name))) is not None), None)
        if found is not None:
            yield key, asset, found.name


def _layer(asset: "Asset", name: str, sensor: Sensor) -> Layer | None:
    """The band, if the item says what its numbers mean."""
    fields = asset.extra_fields
    told: dict[str, Any] = {}
    for key in ("raster:bands", "bands"):
        told |= next(iter(fields.get(key) or [{}]))
    scale = told.get("scale", told.get("raster:scale"))
    if scale is None:
        return None
    offset = told.get("offset", told.get("raster:offset", 0.0))
    gsd = told.get("gsd") or told.get("spatial_resolution") or fields.get("gsd") or sensor.band(name).gsd_m
    nodata = told.get("nodata")
    try:
        empty = None if nodata is None else float(nodata)
        return Layer(_href(asset), 1, name, float(gsd), float(scale), float(offset), empty)
    except (TypeError, ValueError) as error:
        raise InputError(f"{_href(asset)}: scale {scale!r}, offset {offset!r}, nodata {nodata!r} of the STAC item are "
                         "not all numbers. Give the rasters themselves.") from error  # fmt: skip


def _href(asset: "Asset") -> str:
    """What GDAL opens."""
    return str(asset.get_absolute_href() or asset.href).removeprefix("file://")
