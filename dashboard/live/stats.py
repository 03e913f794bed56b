"""Counters of what was sent to pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Stats:
    """Counts since the start, but for ``pages``.

    Attributes:
        pages: pages that are connected now.
        pictures_sent: images sent to pages.
        pictures_skipped: images that a page was spared, as newer ones overtook them.
        unpaired: images given up, as no results of their frame came in time.
        bytes_sent: bytes sent to pages.
    """

    pages: int = 0
    pictures_sent: int = 0
    pictures_skipped: int = 0
    unpaired: int = 0
    bytes_sent: int = 0
