"""Imports without the garbage collector.

It would look through all that is loaded again and again, which is a tenth of a start.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Keep the collector off in this block, and from what is there at its end for good."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
