"""Models of other frameworks into ONNX and a manifest, and out to phones."""

from __future__ import annotations

import importlib
from typing import Any


class ConvertError(RuntimeError):
    """A model cannot be converted; the message says why, and what to do."""


class GapError(ConvertError):
    """The converted model computes something else than its source; the message has the figures."""


def library(name: str, extra: str) -> Any:
    """A library of a framework.

    Raises:
        ImportError: it is missing; names the extra that has it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'{name} is missing ({error}); pip install "mirante[{extra}]"') from error


def first_lines(error: BaseException, most: int = 400) -> str:
    """Return the first lines of a library's error, without the pages that follow."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join(lines[:4]) or type(error).__name__
    return said if len(said) <= most else said[:most] + " …"
