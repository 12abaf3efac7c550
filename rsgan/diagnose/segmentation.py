"""Land cover by a segmentation network of segmentation-models-pytorch, as that library saves it."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import nn

from rsgan.diagnose.ground import Ground, read_beyond
from rsgan.diagnose.landcover import PURITY, Landcover, of_pixels
from rsgan.errors import BandError, ConfigError, ModelError
from rsgan.sensors.statistics import BandScaling

NETWORK, WEIGHTS, MEANING = "config.json", "model.safetensors", "rsgan.json"
"""Files of a folder: the network's arguments and its weights, by `save_pretrained`; and what goes in and comes out."""
WINDOW, HALO = 512, 64
"""Pixels that are segmented at once, and around them for context; multiples of every encoder's stride."""


class NetworkMeaning(BaseModel):
    """What a segmentation network takes and gives.

    Attributes:
        bands: in channel order, by the names of the observed raster.
        centre: reflectance that is 0 to the network, of each band.
        spread: reflectance that is 1 more.
        classes: names in channel order; they are numbered from 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: tuple[str, ...] = Field(min_length=1)
    centre: tuple[float, ...]
    spread: tuple[Annotated[float, Field(gt=0)], ...]
    classes: tuple[str, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _fits(self) -> NetworkMeaning:
        if not len(self.bands) == len(self.centre) == len(self.spread):
            raise ValueError(
                f"names {len(self.bands)} bands, {len(self.centre)} centres and {len(self.spread)} spreads; expected "
                "as many of each"
            )
        return self

    @property
    def names(self) -> dict[int, str]:
        """Of the classes, by number."""
        return dict(enumerate(self.classes, start=1))


def of_network(ground: Ground, folder: Path, device: torch.device, purity: float = PURITY) -> Landcover:
    """The class of every patch by a network that looks at the observed raster.

    Args:
        ground: whose patches are wanted.
        folder: config.json and model.safetensors of `save_pretrained`, and rsgan.json, see `NetworkMeaning`.
        device: where to compute.
        purity: share of a patch that its class has to have.

    Raises:
        ModelError: a file is missing or does not fit.
        BandError: the observed raster has other bands.
    """
    meaning, network = open_network(folder)
    scene = ground.observed
    if scene.bands != meaning.bands:
        raise BandError(
            f"--landcover {folder} takes {' '.join(meaning.bands)}; {scene.name} is read as {' '.join(scene.bands)}."
        )
    pixels = np.zeros(scene.grid.shape, np.uint8)
    network.to(device)
    for top in range(0, scene.grid.height, WINDOW):
        for left in range(0, scene.grid.width, WINDOW):
            place = (slice(top, top + WINDOW), slice(left, left + WINDOW))
            height, width = pixels[place].shape
            pixels[place] = _segmented(ground, meaning, network, (top, left), device)[:height, :width]
    return of_pixels(ground, pixels, meaning.names, f"{folder}", purity)


@torch.inference_mode()
def _segmented(
    ground: Ground, meaning: NetworkMeaning, network: nn.Module, corner: tuple[int, int], device: torch.device
) -> NDArray[np.uint8]:
    """(WINDOW, WINDOW) class numbers from a corner on, 0 where not valid."""
    rows, columns = ((start - HALO, start + WINDOW + HALO) for start in corner)
    chip, around = read_beyond(ground.observed, rows, columns)
    scaled = BandScaling(np.array(meaning.centre), np.array(meaning.spread)).to_network(chip.values)
    valid = np.pad(chip.valid.all(axis=0), around)
    seen = np.where(valid, np.pad(scaled, ((0, 0), *around)), np.float32(0))
    scores = network(torch.from_numpy(seen)[None].to(device))[0]
    numbers = np.where(valid, scores.argmax(0).cpu().numpy() + 1, 0).astype(np.uint8)
    return numbers[HALO:-HALO, HALO:-HALO]


def open_network(folder: Path) -> tuple[NetworkMeaning, nn.Module]:
    """A network in evaluation mode, and what it means; nothing is downloaded, and no pickle is read.

    Raises:
        ModelError: a file is missing, damaged, or does not fit the others.
    """
    missing = [name for name in (NETWORK, WEIGHTS, MEANING) if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"--landcover {folder} holds no {missing[0]}; expected {NETWORK} and {WEIGHTS} as save_pretrained of "
            f"segmentation-models-pytorch writes them, and {MEANING} with bands, centre, spread and classes."
        )
    meaning, arguments = _meaning(folder / MEANING), _arguments(folder / NETWORK)
    found = arguments["in_channels"], arguments["classes"]
    if found != (len(meaning.bands), len(meaning.classes)):
        raise ModelError(
            f"--landcover {folder}: the network takes {found[0]} bands and tells {found[1]} classes, but {MEANING} "
            f"names {len(meaning.bands)} and {len(meaning.classes)}."
        )
    return meaning, _network(folder)


def _meaning(path: Path) -> NetworkMeaning:
    try:
        return NetworkMeaning.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ModelError(f"{path} does not say what the network takes and gives: {error}") from error


def _arguments(path: Path) -> dict[str, Any]:
    """Arguments of the network.

    Raises:
        ModelError: it is of no class of the library.
    """
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise ConfigError(
            "--landcover with a network needs segmentation-models-pytorch, which is not installed. Install the extra "
            "'train' of rsgan, or segmentation-models-pytorch itself."
        ) from error
    try:
        arguments: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind = getattr(smp, str(arguments["_model_class"]), None)
        arguments = {"in_channels": int(arguments["in_channels"]), "classes": int(arguments["classes"])}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path} is no configuration of segmentation-models-pytorch ({error}).") from error
    if not (isinstance(kind, type) and issubclass(kind, smp.base.SegmentationModel)):
        raise ModelError(f"{path} names no network of segmentation-models-pytorch as _model_class.")
    return arguments


def _network(folder: Path) -> nn.Module:
    import segmentation_models_pytorch as smp
    from safetensors import SafetensorError

    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():  # it says where it reads from
            warnings.simplefilter("error", UserWarning)  # of weights that do not fit, which it leaves out
            network: nn.Module = smp.from_pretrained(str(folder), encoder_weights=None, strict=True)
    except UserWarning as error:
        raise ModelError(f"--landcover {folder}: {WEIGHTS} are not the weights of the network in {NETWORK}.") from error
    except (RuntimeError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"--landcover {folder}: the network cannot be read ({error}).") from error
    return network.eval()
