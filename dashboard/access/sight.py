"""Cut what is answered down to the cameras that exist for an identity."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

from dashboard.access.identity import Identity

T = TypeVar("T")

ANOTHER = "another camera"
_NAMED = re.compile(r'camera "([^"]*)"')  # as every reason names another camera


def seen_by(who: Identity, cameras: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the cameras, as the API describes them, that exist for somebody."""
    if who.sees_all:
        return cameras
    return [without_others(who, each) for each in cameras if who.sees(each["name"])]


def without_others(who: Identity, value: T) -> T:
    """Return JSON without the names of cameras that do not exist for somebody in its texts."""
    return value if who.sees_all else cast(T, _without_others(who, value))


def _without_others(who: Identity, value: Any) -> Any:
    if isinstance(value, str):
        return _NAMED.sub(lambda named: named[0] if who.sees(named[1]) else ANOTHER, value)
    if isinstance(value, dict):
        return {key: _without_others(who, each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_others(who, each) for each in value]
    return value
