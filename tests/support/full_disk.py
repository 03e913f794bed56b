"""A disk without room, as the code meets it."""

from __future__ import annotations

import errno
import os

import pytest


def fill(monkeypatch: pytest.MonkeyPatch, number: int = errno.ENOSPC) -> None:
    """Let nothing be created any more: what is there can be read, and written over in place.

    Args:
        monkeypatch: that ends it.
        number: the system's error, that of a full disk by default.
    """
    opened = os.open

    def open_(path: str, flags: int, *more: int, **named: int) -> int:
        if flags & os.O_EXCL:
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", open_)
