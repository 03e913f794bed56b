"""A refusal in a few short lines."""

from __future__ import annotations

from collections.abc import Sequence


class RefusalError(ValueError):
    """A model is refused in a few short lines; all that was considered is in ``why``.

    Attributes:
        lines: the message, a line each.
        why: every reason, as ``--why`` prints them.
    """

    def __init__(self, lines: Sequence[str], why: Sequence[str] = ()) -> None:
        self.lines = tuple(shortened(line) for line in lines)
        self.why = tuple(why)
        super().__init__("\n".join(self.lines))


def shortened(line: str, most: int = 220) -> str:
    """Return a line of at most so many characters."""
    return line if len(line) <= most else line[: most - 2] + " …"
