"""Lines that a running process prints, waited for with a limit."""

from __future__ import annotations

import subprocess
import threading


def printed(process: subprocess.Popen[str], timeout_s: float = 100) -> str:
    """Return the next line of a process's output; kill the process if none comes in time.

    Raises:
        AssertionError: it printed no line before the limit, or before it ended.
    """
    assert process.stdout is not None
    late = threading.Timer(timeout_s, process.kill)
    late.start()
    try:
        line = process.stdout.readline()
    finally:
        late.cancel()
    assert line, (
        f"no line within {timeout_s} s from {process.args!r}; exit status {process.wait(10)}"
    )
    return line
