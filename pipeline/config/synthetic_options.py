"""The options of the synthetic camera, as its address gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

MIN_SIZE = (64, 48)
MOST_PX = 7680 * 4320


@dataclass(frozen=True, slots=True)
class SyntheticOptions:
    """The options in the query of a ``test://`` address: size in pixels and frames per second."""

    width: int = 640
    height: int = 360
    fps: int = 10

    @classmethod
    def of_query(cls, query: str) -> SyntheticOptions:
        """Reads ``size=640x360&fps=10``.

        Raises:
            ValueError: naming the key, the value and what was expected.
        """
        options = cls()
        for key, value in parse_qsl(query, keep_blank_values=True):
            if key == "size" and (match := re.fullmatch(r"(\d{2,4})x(\d{2,4})", value)):
                options = cls(int(match[1]), int(match[2]), options.fps)
            elif key == "fps" and re.fullmatch(r"[1-9]\d{0,2}", value):
                options = cls(options.width, options.height, int(value))
            else:
                expected = {"size": "WIDTHxHEIGHT", "fps": "1 to 999"}.get(key, "keys size and fps")
                raise ValueError(f'test:// {key}="{value}": expected {expected}')
        _check_size(options.width, options.height)
        return options


def _check_size(width: int, height: int) -> None:
    if width < MIN_SIZE[0] or height < MIN_SIZE[1]:
        least = "x".join(map(str, MIN_SIZE))
        raise ValueError(f"synthetic image: expected {least} or more, got {width}x{height}")
    if width * height > MOST_PX:
        raise ValueError(f"synthetic image: expected up to {MOST_PX} pixels, got {width}x{height}")
