"""The API gives a fault's code and advice; the page shows them and reads no words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dashboard.history.described import describe
from dashboard.history.newest import Look, Newest
from dashboard.history.track import Track
from mirante import Status
from mirante.faults import FaultCode
from pipeline.control.entries import Desired
from tests.support import ROOT
from tests.support.api_server import Bench

DESIRED = Desired("gate", {"url": "test://"}, "api", "main")
PAGE = [p for p in (ROOT / "dashboard/static").rglob("*.js") if "vendor" not in p.parts]


def described(code: str | None, alive: str = "main", words: str = "") -> dict[str, Any]:
    status = Status(camera="gate", state="failed", reason="why", ts=2.0, since=1.0, code=code)
    newest = Newest(status=status)
    look = Look({"gate": DESIRED}, {"gate": newest}, {}, frozenset({alive}), frozenset())
    return describe(DESIRED, newest, Track(), look, words)


@pytest.mark.parametrize("row", FaultCode, ids=str)
def test_each_code_comes_with_its_advice(row: FaultCode) -> None:
    camera = described(row.value)
    assert (camera["code"], camera["advice"]) == (row.value, row.advice)


def test_what_a_camera_does_without_a_fault_or_with_one_of_a_later_version() -> None:
    assert (described(None)["code"], described(None)["advice"]) == (None, None)
    later = described("eaten-by-a-fox")
    assert (later["code"], later["advice"]) == ("eaten-by-a-fox", None)


def test_what_is_known_without_the_camera() -> None:
    assert described(None, alive="other")["code"] == FaultCode.NO_WORKER
    away = described(None, words="no answer from Redis")
    assert (away["code"], away["advice"]) == (FaultCode.NO_REDIS, FaultCode.NO_REDIS.advice)


def test_code_and_advice_over_http(bench: Bench) -> None:
    bench.worker()
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"}).raise_for_status()
    bench.status("failed", "401 unauthorised: …", code=FaultCode.UNAUTHORISED.value)
    # Until the worker is seen, the code says that there is none.
    bench.until(lambda: bench.camera()["code"] == "unauthorised")
    assert bench.camera()["advice"] == FaultCode.UNAUTHORISED.advice
    [change, *_] = bench.http.get("/api/v1/cameras/gate/timeline").json()["states"]
    assert change["code"] == "unauthorised"


@pytest.mark.parametrize("path", PAGE, ids=lambda path: path.name)
def test_the_page_knows_no_words_of_faults(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [row for row in FaultCode if row.advice in text]
    literal = {part.strip(": ") for row in FaultCode for part in re.split("…| / ", row.words)}
    known = [words for words in literal if len(words) > 14 and words in text]
    assert known == []
