"""Model files: one safetensors file with its card in the header; nothing in it is ever executed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rsgan.card import ModelCard
from rsgan.errors import ModelError, RsganError
from rsgan.nn.discriminators import Discriminator, build_discriminator
from rsgan.nn.generators import Generator, build_generator
from rsgan.nn.uncertainty import UncertaintyHead

Device = Literal["auto", "cpu", "cuda", "mps"]
ZOO = Path(__file__).parent / "zoo"
CARD_KEY = "rsgan_card"
State = dict[str, Tensor]


def _part(tensors: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def choose_device(name: Device) -> torch.device:
    """The device asked for; auto takes CUDA, then MPS, then the CPU.

    Raises:
        RsganError: it is not there.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    if not present[name]:
        there = ", ".join(kind for kind, is_there in present.items() if is_there)
        raise RsganError(f"--device {name}: this machine has none that torch can use; there is {there}.")
    return torch.device(name)


@dataclass(frozen=True)
class Model:
    """A card and its weights.

    Attributes:
        card: what the model is.
        tensors: weights, in the types of the file, under the prefixes `faithful.`, `adversarial.`, `discriminator.` and
            `uncertainty.`.
        path: file it came from.
    """

    card: ModelCard
    tensors: State
    path: Path

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def has_adversarial(self) -> bool:
        """Whether the file holds an adversarial generator."""
        return any(key.startswith("adversarial.") for key in self.tensors)

    @property
    def receptive_field(self) -> int:
        """Input pixels that an output pixel can depend on, to each side of its own."""
        return build_generator(self.card.generator).receptive_field

    def generator(self, sharpness: float | None = None) -> Generator:
        """The generator at a sharpness: weights interpolated from faithful (0) to adversarial (1).

        Raises:
            ModelError: sharpness outside 0..1, or above 0 without an adversarial generator.
        """
        sharpness = self.card.sharpness if sharpness is None else sharpness
        if not 0 <= sharpness <= 1:
            raise ModelError(f"--sharpness {sharpness} is outside 0 (faithful) .. 1 (adversarial).")
        state = _part(self.tensors, "faithful.")
        if sharpness > 0:
            if not self.has_adversarial:
                raise ModelError(f"{self.card.name} has no adversarial generator; use --sharpness 0.")
            sharp = _part(self.tensors, "adversarial.")
            state = {key: torch.lerp(value.float(), sharp[key].float(), sharpness) for key, value in state.items()}
        generator = build_generator(self.card.generator)
        generator.load_state_dict(state)
        return generator.eval()

    def uncertainty(self) -> UncertaintyHead:
        """The network that tells how wrong enhanced pixels may be.

        Raises:
            ModelError: the file holds none.
        """
        if self.card.uncertainty is None:
            raise ModelError(
                f"{self.card.name} cannot tell how wrong its pixels may be. Leave --uncertainty out, or fit it with "
                "rsgan train CONFIG --uncertainty-of MODEL."
            )
        head = UncertaintyHead(self.card.uncertainty.head)
        head.load_state_dict(_part(self.tensors, "uncertainty."))
        return head.eval()

    def states(self) -> tuple[State, State | None, State | None]:
        """Weights: faithful generator, adversarial one, discriminator; None for what the file does not hold."""
        faithful, adversarial, discriminator = (
            _part(self.tensors, f"{name}.") for name in ("faithful", "adversarial", "discriminator")
        )
        return faithful, adversarial or None, discriminator or None

    def discriminator(self) -> Discriminator:
        """The discriminator left over from training.

        Raises:
            ModelError: the file holds none.
        """
        if self.card.discriminator is None:
            raise ModelError(f"{self.card.name} holds no discriminator.")
        build = partial(build_discriminator, self.card.discriminator)
        state = {key: value for key, value in self.tensors.items() if key.startswith("discriminator.")}
        _check_weights(self.path, state, {"discriminator.": build})  # here, as torch loads its compiler for it: seconds
        discriminator = build()
        discriminator.load_state_dict(_part(self.tensors, "discriminator."))
        return discriminator.eval()


def save_model(
    path: Path,
    card: ModelCard,
    faithful: State,
    adversarial: State | None,
    discriminator: State | None,
    uncertainty: State | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a model file under a temporary name, then rename it.

    A `dtype` of float16 halves the file of float32 weights; networks that were trained in bfloat16 saw fewer digits of
    theirs still. None keeps the weights as they are.

    Raises:
        ModelError: the folder cannot be written.
    """
    parts = {
        "faithful.": faithful,
        "adversarial.": adversarial or {},
        "discriminator.": discriminator or {},
        "uncertainty.": uncertainty or {},
    }
    tensors = {f"{prefix}{key}": _stored(value, dtype) for prefix, part in parts.items() for key, value in part.items()}
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        save_file(tensors, partial, metadata={CARD_KEY: card.model_dump_json()})
        partial.chmod(0o644)  # safetensors writes for the owner alone; models are read by everyone
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: the model cannot be written ({error}).") from error
    finally:
        partial.unlink(missing_ok=True)


def _stored(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Weights in the type of the file; counts stay counts."""
    kept = value.detach().cpu().contiguous()
    return kept.to(dtype) if dtype is not None and kept.is_floating_point() else kept


def replace_card(path: Path, card: ModelCard) -> None:
    """Give a model file another card, its weights unchanged.

    Raises:
        ModelError: the file is no model, its weights do not fit the new card, or it cannot be written.
    """
    model = open_model(path)
    save_model(path, card, *model.states(), _part(model.tensors, "uncertainty.") or None)


def zoo_names() -> tuple[str, ...]:
    """Names of the models inside the package."""
    return tuple(sorted(path.stem for path in ZOO.glob("*.safetensors")))


def find_model(name: str | Path) -> Path:
    """Path of a model given by zoo name or file.

    Raises:
        ModelError: neither is there.
    """
    path = Path(name)
    if path.suffix == ".safetensors" or path.exists():
        if not path.is_file():
            raise ModelError(f"{path}: no such model file. Models in the package: {', '.join(zoo_names())}.")
        return path
    shipped = ZOO / f"{name}.safetensors"
    if str(name) not in zoo_names():
        raise ModelError(
            f"--model {name}: no such model. In the package: {', '.join(zoo_names()) or 'none'}; "
            "or give the path of a .safetensors file."
        )
    return shipped


def read_card(path: Path) -> ModelCard:
    """The card in a model file's header, without its weights.

    Raises:
        ModelError: no safetensors file, truncated, or without a card of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(CARD_KEY)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a whole model file ({error}). Copy or download it again.") from error
    if text is None:
        raise ModelError(
            f"{path}: a safetensors file without an rsgan card. Only models written by rsgan can be opened."
        )
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        rows = "; ".join(_said(row["loc"], row["msg"]) for row in error.errors()[:3])
        raise ModelError(f"{path}: its card is not one that this version of rsgan reads ({rows}).") from error


def _said(place: tuple[int | str, ...], message: str) -> str:
    """One complaint of pydantic, with the key that it is about."""
    key = ".".join(map(str, place))
    return f"{key}: {message}" if key else message.removeprefix("Value error, ")


def open_model(name: str | Path) -> Model:
    """Open a model by zoo name or path; every tensor is checked against the architecture that the card names.

    Those of the discriminator are checked when it is asked for.

    Raises:
        ModelError: missing, damaged, foreign, or weights that do not fit the card.
    """
    path = find_model(name)
    card = read_card(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a whole model file ({error}). Copy or download it again.") from error
    model = Model(card, tensors, path)
    networks: dict[str, Callable[[], nn.Module]] = {"faithful.": partial(build_generator, card.generator)}
    if model.has_adversarial:
        networks["adversarial."] = networks["faithful."]
    if card.uncertainty is not None:
        networks["uncertainty."] = partial(UncertaintyHead, card.uncertainty.head)
    later = () if card.discriminator is None else ("discriminator.",)
    _check_weights(path, {key: value for key, value in tensors.items() if not key.startswith(later)}, networks)
    return model


def _check_weights(path: Path, tensors: State, networks: Mapping[str, Callable[[], nn.Module]]) -> None:
    """Refuse what does not fit before it costs memory: a card can name a network that no machine could hold.

    Args:
        path: of the model, for messages.
        tensors: of the networks.
        networks: what builds them, by the prefix of their tensors.

    Raises:
        ModelError: names, shapes or types differ from those of the card's networks, or weights are not finite.
    """
    wanted: dict[str, str] = {}
    try:
        with torch.device("meta"):  # shapes without numbers
            for prefix, build in networks.items():
                wanted |= {prefix + key: _look(value) for key, value in build().state_dict().items()}
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise _misfit(path, str(error)) from error
    found = {key: _look(value) for key, value in tensors.items()}
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            raise _misfit(path, f"{key} is {found.get(key, 'absent')}, expected {wanted.get(key, 'absent')}")
    for key, value in tensors.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise ModelError(f"{path}: {key} holds numbers that are not finite. Copy it again, or train it anew.")


def _look(value: Tensor) -> str:
    """Kind and shape of a tensor, in words."""
    kind = "floats" if value.is_floating_point() else str(value.dtype).removeprefix("torch.")
    return f"{' x '.join(map(str, value.shape)) or 'one'} {kind}"


def _misfit(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path}: its weights do not fit the architecture in its card ({reason}).")
