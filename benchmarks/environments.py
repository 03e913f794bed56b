"""Environments of their own for what is measured beside Mirante, made by pip when needed."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence

from mirante.home import home

_INSTALL_S = 600

log = logging.getLogger(__name__)


def python_with(name: str, packages: Sequence[str], options: Sequence[str] = ()) -> str:
    """Return the interpreter of an environment that has packages, made where it is not there.

    Args:
        name: of its folder, with what its content depends on.
        packages: as pip takes them, with their own options; each is installed by itself.
        options: of ``python -m venv``.

    Raises:
        OSError: it cannot be made; with pip's last words.
        subprocess.TimeoutExpired: not within ten minutes.
    """
    folder = home("cache") / f"{name}-{sys.implementation.cache_tag}"
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        log.info("installing %s into %s", ", ".join(packages), folder)
        _run([sys.executable, "-m", "venv", "--clear", *options, str(folder)])
        for each in packages:
            _run([str(python), "-m", "pip", "install", "--quiet", *each.split()])
        done.touch()
    return str(python)


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or ["no reason given"]
        raise OSError(f"{' '.join(command[1:4])}: {said[-1]}")
