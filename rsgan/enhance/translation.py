"""One way of a translation model, as the window walk wants it, and how it is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from rsgan.card import Domain
from rsgan.enhance.batches import Floats, Inner, Made, Step
from rsgan.enhance.options import Running
from rsgan.enhance.scene_enhancer import Precision
from rsgan.enhance.walk import Restore
from rsgan.errors import GridError, ModelError, RsganError
from rsgan.geo import FILL_REACH, Scene, Window, WindowPlan, plan
from rsgan.model import Model
from rsgan.nn.generators import TranslationGenerator
from rsgan.nn.generators.haze import HazeGenerator
from rsgan.nn.generators.translation import PROBED, OneWay
from rsgan.nn.precision import reduced
from rsgan.radiometry import Backscatter, Radiometry
from rsgan.runtimes import computed_by
from rsgan.sensors.atmosphere import transmission

Direction = Literal["forth", "back"]
LARGEST_WHOLE = 4096
"""Longest side, in pixels, that a network without a receptive field takes in one piece."""


@dataclass(frozen=True)
class TranslateOptions(Running):
    """How to translate, apart from what and with which model.

    Attributes:
        transmission: GeoTIFF for the share of the ground's light that gets through the haze, float32, one band per
            band; models that find haze only. None writes none.
    """

    window: int = 1024
    transmission: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, whatever the scene.

        Raises:
            RsganError: naming the flag.
        """
        super().__post_init__()
        if self.transmission is not None and self.backend != "torch":
            raise RsganError(
                f"--transmission: --backend {self.backend} computes the result alone. Leave one of them out."
            )


@dataclass
class TranslationEnhancer:
    """One way of a translation, as the window walk wants it: physical units of one domain in, of the other out.

    Attributes:
        network: the way.
        source: what goes in.
        target: what comes out.
        device: where to compute.
        precision: inside the network.
        halo: pixels that an output pixel can depend on, to each side.
        keep_transmission: whether the transmission is kept for the second raster.
        scale: output pixels per input pixel.
    """

    network: OneWay
    source: Domain
    target: Domain
    device: torch.device
    precision: Precision
    halo: int
    keep_transmission: bool = False
    scale: int = 1

    def __post_init__(self) -> None:
        """Move the network to its device."""
        self.network = self.network.to(self.device)

    @property
    def stride(self) -> int:
        """Pixels of which a chip begins at a multiple."""
        return self.network.stride

    @torch.inference_mode()
    def __call__(self, observed: Floats, inner: Inner, valid: NDArray[np.bool_], guide: Floats | None = None) -> Made:
        """Translate (N, C, h, w); `guide` is of no use here.

        Where both domains have the same bands, the figures are `change`, the sum of (translated - observed) per band
        over valid pixels, and `count`, their number.
        """
        seen, beside = torch.from_numpy(self.source.to_network(observed)).to(self.device), None
        with reduced(self.device, self.precision == "bfloat16"):
            made = self.network(seen)
            if self.keep_transmission and isinstance(self.network, HazeGenerator):
                wavelengths = torch.tensor(self.network.config.wavelengths_um, device=self.device)
                beside = transmission(self.network.haze(seen), wavelengths).float().cpu().numpy()
        translated = self.target.to_physical(made.float().cpu().numpy())
        if self.source.bands != self.target.bands:
            return Made(translated, beside)
        rows, columns = inner
        usable = np.all(valid[:, :, rows, columns], axis=1, keepdims=True)
        difference = (translated - observed)[:, :, rows, columns] * usable
        change = difference.sum((2, 3), dtype=np.float64)
        return Made(translated, beside, {"change": change, "count": usable.sum((1, 2, 3))})


def bound(way: OneWay, source: Domain, target: Domain, options: TranslateOptions) -> TranslationEnhancer:
    """A way as the options want it."""
    network, keep = computed_by(options.backend, way), options.transmission is not None
    return TranslationEnhancer(network, source, target, options.place, options.precision, way.receptive_field, keep)


def stored_as(meaning: Radiometry | Backscatter | None) -> Restore:
    """Physical values -> stored numbers; nodata wherever a band of the input is invalid."""

    def stored(made: Floats, step: Step, valid: NDArray[np.bool_], scene: Scene, nodata: float | None) -> NDArray[Any]:
        dn = made if meaning is None else meaning.to_dn(made, nodata)
        lost = ~valid.all(axis=0)
        if nodata is not None:
            dn[:, lost] = np.array(nodata).astype(dn.dtype)
        return dn

    return stored


def domains_of(model: Model, direction: Direction) -> tuple[Domain, Domain]:
    """What goes in and what comes out.

    Raises:
        ModelError: the model does not translate.
    """
    card = model.card
    if card.source is None or card.target is None:
        raise ModelError(f"--model {card.name} is for {card.task}, not for translation. See rsgan models.")
    return (card.source, card.target) if direction == "forth" else (card.target, card.source)


def way_of(model: Model, direction: Direction, sharpness: float | None) -> OneWay:
    """The network of a direction.

    Raises:
        ModelError: the model does not translate, or only the other way.
    """
    generator = model.generator(sharpness)
    if not isinstance(generator, TranslationGenerator):
        raise ModelError(f"--model {model.card.name} is for {model.card.task}, not for translation. See rsgan models.")
    if direction == "forth":
        return generator.forth
    if generator.back is None:
        raise ModelError(f"--direction back: {model.card.name} was trained one way only. Leave --direction out.")
    return generator.back


def windows_of(scene: Scene, model: Model, way: OneWay, options: TranslateOptions, part: Window) -> list[WindowPlan]:
    """Windows with context; one window for a network that looks at everything.

    Raises:
        GridError: such a network, and a part that is too large for it.
    """
    if way.receptive_field < PROBED:
        return plan(
            scene.grid.shape, options.window, stride=way.stride, halo=way.receptive_field + FILL_REACH, part=part
        )
    longest = max(part.width, part.height)
    if longest > LARGEST_WHOLE:
        raise GridError(
            f"{scene.name}: {model.card.name} looks at the whole image at once, so it takes at most {LARGEST_WHOLE} "
            f"pixels each way, and {part.width} x {part.height} are wanted. Take parts with --crop or --bbox."
        )
    return plan((part.row_off + part.height, part.col_off + part.width), longest, stride=way.stride, part=part)
