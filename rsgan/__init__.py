"""rsgan: remote-sensing image enhancement with generative models that are bound to sensor physics.

The public Python interface; every name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rsgan.enhance.despeckle import despeckle as despeckle
    from rsgan.enhance.superres import superres as superres
    from rsgan.enhance.translate import translate as translate
    from rsgan.errors import RsganError as RsganError
    from rsgan.model import open_model as open_model
    from rsgan.synthesis import synthesize as synthesize

_HOME = {
    "despeckle": "rsgan.enhance.despeckle",
    "superres": "rsgan.enhance.superres",
    "synthesize": "rsgan.synthesis.job",
    "translate": "rsgan.enhance.translate",
    "open_model": "rsgan.model",
    "RsganError": "rsgan.errors",
}

__all__ = ["RsganError", "despeckle", "open_model", "superres", "synthesize", "translate"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("importlib.metadata").version("rsgan")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'rsgan' has no attribute '{name}'")
