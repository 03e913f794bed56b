"""``mirante doctor --deep`` on cameras whose own events are listened to."""

from __future__ import annotations

import pytest

from mirante.faults import FaultCode
from pipeline.cli.deep.cameras import _onvif
from pipeline.control.onvif_report import OnvifReport


@pytest.mark.parametrize(
    ("report", "level", "words", "mend"),
    [
        (OnvifReport(state="subscribed", events=3), "ok", "subscribed; 3 events", ""),
        (
            OnvifReport(state="failed", reason="401", code="unauthorised"),
            "wrong",
            "failed: 401; 0 events",
            FaultCode.UNAUTHORISED.advice,
        ),
    ],
)
def test_how_a_camera_is_listened_to(
    report: OnvifReport, level: str, words: str, mend: str
) -> None:
    found = _onvif("gate", report)
    assert (found.area, found.subject, found.level) == ("onvif", "gate", level)
    assert found.words == f"{words} of the camera itself"
    assert found.mend.startswith(mend)
