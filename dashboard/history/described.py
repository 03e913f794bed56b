"""Describe a camera as the API does: its configuration, its state, and the classes it may find."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from dashboard.history.newest import Look, Newest
from dashboard.history.track import Track
from mirante.faults import FaultCode, advice_on
from mirante.keys import key
from pipeline.config.camera import CameraOptions
from pipeline.config.camera_url import redact
from pipeline.config.decode_cost import decode_hint
from pipeline.config.stages.stage import read_stage
from pipeline.control.entries import Desired
from pipeline.control.needs import told_needs
from pipeline.control.reports import CameraReport, WorkerReport
from pipeline.control.spec import redacted


def describe(
    desired: Desired, newest: Newest, track: Track, look: Look | None, words: str
) -> dict[str, Any]:
    """The object that the API and pages get for a camera; ``dashboard.api.shapes.Camera``.

    Args:
        desired: its entry in the registry.
        newest: what it said last.
        track: what it did lately.
        look: how Redis was when it was reached last; None before that.
        words: why Redis is not reached, or takes no writes; empty where all is well.
    """
    report = look.reports.get(desired.worker) if look else None
    account = track.account
    stages = report.stages_of(desired.spec) if report else desired.spec.get("stages") or []
    models = [use.name for said in stages if (stage := read_stage(said)) for use in stage.models()]
    sampled = track.sampled
    camera = report.cameras.get(desired.name) if report and not words else None
    return {
        "name": desired.name,
        "stream": key(desired.name, "detections"),
        "url": redact(str(desired.spec["url"])),
        "spec": redacted(desired.spec),
        "origin": desired.origin,
        "worker": desired.worker,
        "needs": told_needs(desired.needs) if desired.fleet else None,
        "paused": desired.paused,
        **_state(desired, newest, look, words),
        "counts": msgspec.to_builtins(account.counts) if account else None,
        "rate": None if words else track.rate(),
        "latency_ms": None if words else track.latency_ms(),
        "size": list(sampled.message.size) if sampled else None,
        "stages": stages,
        "models": models,
        "builds": _builds(models, report),
        "labels": _labels(models, report),
        "view": _view(desired, report),
        "hint": _hint(desired, report, track),
        "clips": _keys(desired, report).get("clips"),
        "sleep": msgspec.to_builtins(camera.sleep) if camera else None,
        "cpu_percent": camera.cpu_percent if camera else None,
        "onvif": _onvif(camera),
    }


def is_run(model: str, run: Collection[str]) -> bool:
    """Return whether a model of a worker's is among those that cameras run; one of the worker's
    folder has its path for a name.
    """
    return model in run or PurePath(model).stem in run


def _builds(models: Iterable[str], report: WorkerReport | None) -> dict[str, Any]:
    """By model, how far its engine is."""
    run, builds = set(models), report.builds if report else {}
    return {name: msgspec.to_builtins(build) for name, build in builds.items() if is_run(name, run)}


def _onvif(camera: CameraReport | None) -> dict[str, Any] | None:
    """How the camera's own events are listened to."""
    if camera is None or camera.onvif is None:
        return None
    onvif = msgspec.to_builtins(camera.onvif)
    return {**onvif, "reason": redact(onvif["reason"]), "advice": advice_on(onvif["code"])}


def _keys(desired: Desired, report: WorkerReport | None) -> dict[str, Any]:
    """Return a camera's keys, those that it inherits included."""
    return (report.defaults if report else {}) | desired.spec


def _hint(desired: Desired, report: WorkerReport | None, track: Track) -> str | None:
    """That it decodes more than its analysis needs."""
    keys = _keys(desired, report)
    sampled, rate = track.sampled, track.rate()
    if sampled is None or rate is None or keys.get("keyframes_only"):
        return None
    standard = CameraOptions()
    sides = (keys.get(key) or getattr(standard, key) for key in ("width", "height"))
    view = desired.spec.get("view") is not None
    return decode_hint(sampled.message.size, rate["decoded"], *sides, has_view=view)


def _view(desired: Desired, report: WorkerReport | None) -> dict[str, Any] | None:
    """The stream that people see, where it is another than is analysed."""
    camera = report.cameras.get(desired.name) if report else None
    if camera is None or camera.view is None:
        return None
    view = msgspec.to_builtins(camera.view)
    return {
        **view,
        "reason": redact(view["reason"]),
        "url": redact(str(desired.spec.get("view", ""))),
        "advice": advice_on(view["code"]),
    }


def _state(desired: Desired, newest: Newest, look: Look | None, words: str) -> dict[str, Any]:
    if words or look is None:
        code = FaultCode.REDIS_REFUSES if look and look.refused else FaultCode.NO_REDIS
        return _unknown(words or "Redis has not been reached yet", code)
    if desired.worker not in look.alive:
        return _unknown(desired.without_worker, FaultCode.NO_WORKER)
    if newest.trouble:
        return _unknown(newest.trouble)
    status = newest.status
    if status is None:
        return _unknown("") | {"state": "not started"}
    return {
        "state": str(status.state),
        "reason": redact(status.reason),
        "code": status.code,
        "advice": status.code and advice_on(status.code),
        "since": status.since,
        "attempt": status.attempt,
    }


def _unknown(reason: str, code: FaultCode | None = None) -> dict[str, Any]:
    return {
        "state": "unknown",
        "reason": reason,
        "code": code,
        "advice": code and code.advice,
        "since": None,
        "attempt": 0,
    }


def _labels(models: Iterable[str], report: WorkerReport | None) -> list[str]:
    zoo: Mapping[str, tuple[str, ...]] = {}
    if report is not None:
        zoo = {model.name: model.labels for model in report.zoo}
    return list(dict.fromkeys(label for name in models for label in zoo.get(name, ())))
