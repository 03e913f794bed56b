"""Cameras by what their worker reports: state, decoder, clock; and the models that they run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mirante.faults import advice_on
from pipeline.cli.deep.finding import Finding, Level, judged
from pipeline.cli.deep.server import off_words
from pipeline.control.entries import Desired
from pipeline.control.onvif_report import OnvifReport
from pipeline.control.reports import CameraReport, WorkerReport

_WORKS = {"running", "stopped"}
RTCP_MOST_S, DATE_MOST_S = 1.0, 3.0  # by the date of an answer it is known to the second


def camera_findings(report: WorkerReport) -> Iterator[Finding]:
    """Look at a worker's cameras."""
    for name, camera in sorted(report.cameras.items()):
        if camera.counts is None:
            mend = f"mirante camera resume {name}"
            yield Finding("camera", name, "note", camera.reason, mend)
            continue
        yield _state(name, camera)
        if camera.stream is not None:
            decoder = camera.stream.decoder or "none: its images come as they are"
            yield Finding("decoder", name, "ok", decoder)
            yield _clock(name, camera)
        if camera.onvif is not None:
            yield _onvif(name, camera.onvif)
    if not report.cameras:
        mend = "cameras: of CONFIG, or mirante camera add NAME URL"
        yield Finding("camera", report.worker, "note", "it has no camera", mend)


def orphan_findings(entries: Iterable[Desired], running: Collection[str]) -> Iterator[Finding]:
    """Yield the configured cameras whose worker is none of those that are ``running``."""
    for entry in entries:
        if entry.worker not in running:
            words = f'its worker "{entry.worker}" does not run'
            mend = f"mirante up CONFIG of {entry.worker}, or mirante camera remove {entry.name}"
            yield Finding("camera", entry.name, "wrong", words, mend)


def _state(name: str, camera: CameraReport) -> Finding:
    assert camera.counts is not None
    words = f"{camera.state}: {camera.reason}; {camera.counts.published} frames published"
    if camera.counts.failed:
        words += f", {camera.counts.failed} failed"
    advice = advice_on(camera.code) if camera.code else ""
    mend = " ".join(filter(None, (advice, f"mirante camera test --camera {name}")))
    level: Level = "wrong" if camera.tried else "note"  # it has only just been added
    return judged("camera", name, words, camera.state not in _WORKS, mend, level)


def _onvif(name: str, onvif: OnvifReport) -> Finding:
    words = f"{onvif.state}: {onvif.reason}" if onvif.reason else onvif.state
    words += f"; {onvif.events} events of the camera itself"
    mend = (advice_on(onvif.code) if onvif.code else None) or "look at the worker's log"
    return judged("onvif", name, words, bool(onvif.code), mend)


def _clock(name: str, camera: CameraReport) -> Finding:
    stream = camera.stream
    if stream is None or stream.clock_off_s is None:
        words = "the camera does not tell the time: frames have that of their arrival"
        return Finding("clock", f"camera {name}", "ok", words)
    most_s = RTCP_MOST_S if stream.clock_by == "rtcp" else DATE_MOST_S
    by = "RTCP" if stream.clock_by == "rtcp" else "the Date of an answer"
    words = f"its clock is {off_words(stream.clock_off_s)} its worker's, by {by}"
    mend = "name a time server (NTP) in the camera's settings"
    return judged("clock", f"camera {name}", words, abs(stream.clock_off_s) > most_s, mend)


def model_findings(report: WorkerReport) -> Iterator[Finding]:
    """Look at the models that a worker runs, and at the engines that it builds."""
    for model in report.models:
        words = f"{model.runs} by {model.runtime}, {model.precision}, parity {model.parity}"
        is_open = model.parity == "pending"
        yield judged(
            "model", model.name, words, is_open, "mirante engines list says what is proved", "note"
        )
    for name, build in report.builds.items():
        words = f"engine {build.state} {build.words}".strip()
        yield judged(
            "model",
            f"{name}: engine",
            words,
            build.state == "failed",
            f"mirante engines build {name}",
        )
