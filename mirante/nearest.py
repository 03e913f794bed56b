"""Find the known name that is nearest to a misspelled one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], otherwise: str = "expected one of") -> str:
    """Return a hint for a message: ``did you mean "fps"?``, or ``expected one of fps, url``.

    Args:
        name: what was written.
        known: what could have been written.
        otherwise: words before the known names where none is near.
    """
    known = list(known)
    near = similar(name, known)
    return f'did you mean "{near[0]}"?' if near else f"{otherwise} {', '.join(known) or 'none'}"


def similar(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return the ``most`` known names that resemble ``name``, nearest first.

    Of the same letters in another order is nearer than with a letter more: "rtps" is "rtsp", not
    "rtsps".

    Args:
        name: what was written.
        known: what could have been written.
        most: maximum number of names.
        cutoff: minimum similarity, 0 to 1.
    """
    known = list(known)
    near = get_close_matches(name, known, n=max(1, len(known)), cutoff=cutoff)
    return sorted(near, key=lambda each: sorted(each) != sorted(name))[:most]
