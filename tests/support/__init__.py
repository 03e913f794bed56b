"""What tests of several rooms share."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
# Each may import those below it, and itself; siblings in one row do not import each other.
ROWS = (
    {"mirante"},
    {"engines"},
    {"plugins"},
    {"pipeline"},
    {"training", "benchmarks", "bridges", "fleet"},
    {"dashboard"},
)
ROOMS = tuple(sorted(room for row in ROWS for room in row))
SHARED = ROOT.parent / "shared"  # weights and clips that are never committed
# The variable by which no worker of a test measures in the background which runtime is fastest.
MEASURES = "MIRANTE_ENGINE__RUNTIME"
