"""Every reason why a frame is not published, or not looked at, has words and advice."""

from __future__ import annotations

import re

import pytest

from mirante.reasons import Reason
from plugins.gate.gate import STILL, TRACKED
from plugins.ledger import DAMAGED
from plugins.outbox.lane import LOST, MOVED, REFUSED
from plugins.trace import FAILED
from tests.support import ROOT

_CALL = re.compile(r"\.(?:drop|_let_go|_pass|interrupt)\(([^\n]*)\)")


def given() -> set[str]:
    """The reasons that the line gives frames, in its calls and constants."""
    found = {STILL, TRACKED, DAMAGED, LOST, MOVED, REFUSED, FAILED}
    for room in ("plugins", "pipeline"):
        for path in (ROOT / room).rglob("*.py"):
            for arguments in _CALL.findall(path.read_text(encoding="utf-8")):
                found.update(re.findall(r'"(\w+)"', arguments))
    return found


def test_the_table_holds_what_the_line_gives_and_nothing_else() -> None:
    assert given() == set(Reason)


@pytest.mark.parametrize("row", Reason, ids=str)
def test_every_row_is_whole(row: Reason) -> None:
    assert re.fullmatch(r"[a-zR].{10,}[^.]", row.words)
    assert re.fullmatch(r"[A-Z].{15,}\.", row.advice)
