"""The part of 16-bit grey, as thermal cameras send it, that is shown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

HIGHEST = 65535


def _check(value: object) -> object:
    if value in (None, "auto"):
        return value
    if isinstance(value, list) and [type(count) for count in value] == [int, int]:
        low, high = value
        if 0 <= low < high <= HIGHEST:
            return value
    raise ValueError(f"expected auto, or [low, high] with 0 ≤ low < high ≤ {HIGHEST}")


ThermalRange = Annotated[Literal["auto"] | list[int] | None, BeforeValidator(_check)]
