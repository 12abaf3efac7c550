"""How good an enhanced raster is: against a reference, against what was observed, or by itself."""

from rsgan.evaluate.evaluation import Evaluation, evaluate
from rsgan.evaluate.options import Options

__all__ = ["Evaluation", "Options", "evaluate"]
