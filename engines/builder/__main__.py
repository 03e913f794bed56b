"""One build in a process of its own: ``python -m engines.builder REQUEST.json``.

Progress is told on standard output, one JSON object a line: ``{"share": 0.4, "doing": "…"}``, with
``null`` for a share that nobody knows, and at the end ``{"key": …, "manifest": …, "fresh": …}`` or
``{"failed": …, "kind": …}`` with status 1. With ``--contest`` the file is a ``Contest``, and the
end is ``{"verdict": …}``.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec

from engines.builder.build import build
from engines.builder.contest import hold
from engines.builder.request import Contest, Request

_NICE = 10  # cameras go first
_PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def main() -> int:
    """Builds what the file asks for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m engines.builder", description=__doc__)
    parser.add_argument("request", type=Path, help="file written by Request.to_json")
    parser.add_argument("--nice", type=int, default=_NICE, help="how far to step back")
    parser.add_argument("--contest", action="store_true", help="find the fastest engine")
    parser.add_argument("--parent", type=int, help="process with which it ends")
    asked = parser.parse_args()
    if asked.parent is not None and not _ends_with(asked.parent):
        return 1
    try:
        os.nice(asked.nice)
        if asked.contest:  # before a library starts a thread: only what no camera needs
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        text = asked.request.read_text(encoding="utf-8")
        said = _contest(text) if asked.contest else _built(text)
    except Exception as error:  # noqa: BLE001 whatever it is, the parent is told
        _tell(failed=" ".join(str(error).split()), kind=type(error).__name__)
        return 1
    _tell(**said)
    return 0


def _ends_with(parent: int) -> bool:
    """Have the kernel end this process when its parent ends, however that does.

    Returns:
        Whether the parent is still there.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def _built(text: str) -> dict[str, Any]:
    engine = build(Request.from_json(text), _progress)
    return {"key": engine.key, "manifest": str(engine.manifest), "fresh": engine.fresh}


def _contest(text: str) -> dict[str, Any]:
    return {"verdict": msgspec.to_builtins(hold(Contest.from_json(text), _progress))}


def _progress(share: float | None, words: str) -> None:
    _tell(share=None if share is None else round(share, 3), doing=words)


def _tell(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
