"""The old name of ``mirante bench zoo``."""

import sys

from engines.names import resolve


def main() -> None:
    """Say the new name, and run it."""
    sys.stderr.write("python -m engines.measure: the name of this is now mirante bench zoo\n")
    # By name: benchmarks stand above this room.
    resolve("command", "benchmarks.cli:app", {})(["zoo", *sys.argv[1:]])


if __name__ == "__main__":
    main()
