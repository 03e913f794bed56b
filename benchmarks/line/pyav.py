"""PyAV, for one of the bench's loops only, installed in a folder of its own.

Its licence is BSD-3; its wheels bring FFmpeg under the LGPL, so that it is no dependency of
Mirante's: it is installed when the bench first runs, and never imported beside Mirante's own.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from mirante.home import home

VERSION = "18.1"
_INSTALL_S = 300

log = logging.getLogger(__name__)


def open_pyav() -> Path | None:
    """Return the folder of the package, installing it for this Python if needed; None, with a
    warning, if that fails.
    """
    folder = home("cache") / f"pyav-{VERSION}-{sys.implementation.cache_tag}"
    done = folder / "installed"
    if not done.exists():
        log.info("installing PyAV %s into %s", VERSION, folder)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--no-deps"]
        try:
            ran = subprocess.run(
                [*pip, "--target", str(folder), f"av=={VERSION}.*"],
                capture_output=True,
                text=True,
                timeout=_INSTALL_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            log.warning("the loop with PyAV is left out: not installed within %d s", _INSTALL_S)
            return None
        if ran.returncode:
            said = ran.stderr.strip().splitlines() or ["no reason given"]
            log.warning("the loop with PyAV is left out: %s", said[-1])
            return None
        done.touch()
    return folder
