"""What tests of several rooms share."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"  # weights and clips that are never committed
