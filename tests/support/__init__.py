"""What tests of several rooms share."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"  # weights and clips that are never committed
# The variable by which no worker of a test measures in the background which runtime is fastest.
MEASURES = "MIRANTE_ENGINE__RUNTIME"
