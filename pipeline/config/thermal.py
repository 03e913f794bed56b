"""The part of 16-bit grey, as thermal cameras send it, that is shown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from pipeline.config.messages import unfit

HIGHEST = 65535


def _check(value: object) -> object:
    if value in (None, "auto"):
        return value
    if isinstance(value, list) and [type(count) for count in value] == [int, int]:
        low, high = value
        if 0 <= low < high <= HIGHEST:
            return value
        if min(low, high) >= 0 and max(low, high) <= HIGHEST:
            raise unfit(_EXPECTED)
    raise ValueError(_EXPECTED)


_EXPECTED = f"expected auto, or [low, high] with 0 ≤ low < high ≤ {HIGHEST}"
_COUNTS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": HIGHEST},
    "minItems": 2,
    "maxItems": 2,
}
ThermalRange = Annotated[
    Literal["auto"] | list[int] | None,
    BeforeValidator(_check),
    WithJsonSchema({"anyOf": [{"type": "string", "const": "auto"}, _COUNTS, {"type": "null"}]}),
]
