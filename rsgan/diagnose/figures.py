"""Figures of classes as rows of a table, and as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rsgan.metrics.density_ratio import ClassFigures

SHOWN = ("mean", "auroc", "kl", "jsd")
"""Estimates of a class that tables hold, with their intervals."""


def row_of(one: ClassFigures, name: str) -> dict[str, Any]:
    """What is known of a class."""
    row: dict[str, Any] = {"class": one.number, "name": name, "patches": one.patches[0]}
    row |= {"effective": min(one.effective), "enough": one.enough}
    row |= {"median": one.median, "spread": one.spread} | estimates_of(one, SHOWN)
    return row | {"p_auroc": one.p_auroc, "told_apart": one.told_apart}


def estimates_of(one: ClassFigures, names: tuple[str, ...]) -> dict[str, float]:
    """Estimates with both ends of their intervals."""
    row: dict[str, float] = {}
    for name in names:
        estimate = getattr(one, name)
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row


def plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for json.dumps; null for what is not a finite number."""
    values: dict[str, Any] = json.loads(json.dumps(found, default=_plain), parse_constant=lambda _: None)
    return values


def _plain(value: object) -> object:
    """Numpy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else str(value)


def settings_of(settings: object) -> dict[str, Any]:
    """Settings by their names."""
    return {key: str(value) if isinstance(value, Path) else value for key, value in vars(settings).items()}
