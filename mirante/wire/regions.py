"""The parts of a frame that models looked at, in messages."""

from __future__ import annotations

from collections.abc import Mapping

from mirante.terms import Box

Area = tuple[int, int, int, int]  # left, top, right, bottom in source pixels


def encode_regions(regions: Mapping[str, Area]) -> dict[str, Box]:
    """Return parts as a message has them, by model."""
    return {
        model: (left, top, right - left, bottom - top)
        for model, (left, top, right, bottom) in regions.items()
    }


def decode_regions(regions: Mapping[str, Box]) -> dict[str, Area]:
    """Return the parts of a message, by model."""
    return {
        model: (round(left), round(top), round(left + width), round(top + height))
        for model, (left, top, width, height) in regions.items()
    }
