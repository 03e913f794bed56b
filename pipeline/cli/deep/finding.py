"""What is found of a part of an installation."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "note", "unknown", "wrong"]


class Finding(msgspec.Struct, frozen=True):
    """A part of the installation, and how it is.

    Attributes:
        area: what it belongs to: ``redis``, ``lease``, ``worker``, ``clock``, ``camera`` …
        subject: what it is of that.
        level: ``ok``; ``note``: worth knowing; ``unknown``: could not be looked at; ``wrong``.
        words: how it is, without secrets.
        mend: the command or key that mends it; empty where nothing is to be mended.
    """

    area: str
    subject: str
    level: Level
    words: str
    mend: str = ""


def judged(
    area: str, subject: str, words: str, wrong: bool | str, mend: str, level: Level = "wrong"
) -> Finding:
    """Return a finding that is ``ok`` unless something is wrong.

    Args:
        area, subject: of what.
        words: how it is.
        wrong: whether that is wrong; a text says so instead of ``words``.
        mend: what mends it then.
        level: how bad it is then.
    """
    if not wrong:
        return Finding(area, subject, "ok", words)
    return Finding(area, subject, level, wrong if isinstance(wrong, str) else words, mend)
