"""How deep values from outside may be nested: what walks them calls itself once a level."""

from __future__ import annotations

LEVELS = 32  # a camera's keys have 6


def check_nesting(value: object) -> None:
    """Refuse a value of JSON whose lists and mappings are nested too deep.

    Raises:
        ValueError: deeper than ``LEVELS``.
    """
    inside = [value]
    for _ in range(LEVELS + 1):
        inside = [
            each
            for outer in inside
            if isinstance(outer, dict | list | tuple)
            for each in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not inside:
            return
    raise ValueError(f"expected lists and mappings up to {LEVELS} levels deep")
