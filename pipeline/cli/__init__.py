"""The command ``mirante``: one file per command or group of commands."""

import sys


def main() -> None:
    """Entry point of the console script."""
    from pipeline.cli.app import run

    sys.exit(run(sys.argv[1:]))
