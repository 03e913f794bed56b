"""Every fault has a code that stays, words, advice, and a place that it comes from."""

from __future__ import annotations

import re

import msgspec
import pytest

from mirante import Status
from mirante.faults import FaultCode, advice_on
from tests.support import ROOT

MESSAGE = {
    "version": "1.1",
    "camera": "gate",
    "state": "failed",
    "reason": "401",
    "ts": 2.5,
    "since": 1.5,
}
OF_PYTHON = [
    path.read_text(encoding="utf-8")
    for room in ("pipeline", "dashboard")
    for path in (ROOT / room).rglob("*.py")
]


@pytest.mark.parametrize("row", FaultCode, ids=str)
def test_every_code_is_whole(row: FaultCode) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row)
    assert row.words
    assert re.fullmatch(r"[A-Z].{15,}[.?]", row.advice)
    assert advice_on(row.value) == row.advice
    assert f"| `{row}` |" in (ROOT / "docs/cameras.md").read_text(encoding="utf-8")
    assert any(re.search(rf"FaultCode\.{row.name}\b", text) for text in OF_PYTHON), "never given"


def test_the_codes_of_the_field_are_there() -> None:
    """Programs rely on them: one that is gone or renamed is another major version."""
    stay = {"refused", "unauthorised", "not-found", "unreachable", "stalled", "no-decoder"}
    assert stay <= {row.value for row in FaultCode}


def test_there_is_no_advice_on_nothing_and_on_codes_of_a_later_version() -> None:
    assert advice_on(None) is None
    assert advice_on("eaten-by-a-fox") is None


@pytest.mark.parametrize("code", [None, "unauthorised", "eaten-by-a-fox"])
def test_a_status_of_an_earlier_and_a_later_version_is_read(code: str | None) -> None:
    said = MESSAGE | ({"code": code} if code else {})
    status = msgspec.json.decode(msgspec.json.encode(said), type=Status)
    assert status.code == code


def test_a_status_says_nothing_of_a_code_that_it_has_not() -> None:
    status = msgspec.convert(MESSAGE, Status)
    assert "code" not in msgspec.to_builtins(status)
