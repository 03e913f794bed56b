"""The command ``mirante``: one file per command or group of commands."""

import os
import sys

from pipeline.loading import loading


def main() -> None:
    """Entry point of the console script."""
    with loading():
        from pipeline.cli.app import run

    status = run(sys.argv[1:])
    _give_up_the_log()
    sys.exit(status)


def _give_up_the_log() -> None:
    """Keep lines that a full disk did not take from changing the exit status."""
    try:
        if sys.stderr is not None:  # as it is where a process is started without
            sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
