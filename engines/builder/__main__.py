"""One build in a process of its own: ``python -m engines.builder REQUEST.json``.

Progress is told on standard output, one JSON object a line: ``{"share": 0.4, "doing": "…"}``, and
at the end ``{"key": …, "manifest": …, "fresh": …}`` or ``{"failed": …, "kind": …}`` with status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from engines.builder.build import build
from engines.builder.request import Request

_NICE = 10  # cameras go first


def main() -> int:
    """Builds what the file asks for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m engines.builder", description=__doc__)
    parser.add_argument("request", type=Path, help="file written by Request.to_json")
    parser.add_argument("--nice", type=int, default=_NICE, help="how far to step back")
    asked = parser.parse_args()
    os.nice(asked.nice)
    try:
        request = Request.from_json(asked.request.read_text(encoding="utf-8"))
        engine = build(request, lambda share, words: _tell(share=round(share, 3), doing=words))
    except Exception as error:  # noqa: BLE001 whatever it is, the parent is told
        _tell(failed=" ".join(str(error).split()), kind=type(error).__name__)
        return 1
    _tell(key=engine.key, manifest=str(engine.manifest), fresh=engine.fresh)
    return 0


def _tell(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
