"""Describe the machine that figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def describe_machine() -> str:
    """One line: processor, cores, memory, system, and the libraries that matter."""
    cpu = _first(r"model name\s*:\s*(.+)", "/proc/cpuinfo") or platform.machine()
    memory_kib = int(_first(r"MemTotal:\s*(\d+)", "/proc/meminfo") or 0)
    system = _first(r'PRETTY_NAME="(.+)"', "/etc/os-release") or platform.system()
    named = ("onnxruntime", "opencv-python-headless", "redis")
    libraries = ", ".join(f"{name} {_version(name)}" for name in named)
    return (
        f"{os.cpu_count()} cores of {cpu}, {memory_kib / 2**20:.0f} GiB, {system}, "
        f"Python {platform.python_version()}, {libraries}"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a bench needs not all of them
        return "missing"


def _first(pattern: str, path: str) -> str | None:
    try:
        found = re.search(pattern, Path(path).read_text())
    except OSError:
        return None
    return found[1] if found else None
