from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from engines.store.models import store
from pipeline.cameras.graph import camera_graph
from pipeline.config.camera import Camera
from pipeline.config.load import parse_settings
from pipeline.doctor import NEEDS, Missing, examine, needs_of
from tests.support import ROOT
from tests.support.outcome import Run
from tests.support.stand_in import StandIn

URLS = ["rtsp://h/x", "rtsps://h/x", "http://h/x", "file:x.mp4", "/dev/video0", "test://"]
URLS += ["rtmp://h/a/x", "srt://h:1", "udp://:1", "rtp://:1", "sdp:x.sdp", "images:x"]
ALWAYS_THERE = {
    "capsfilter",
    "identity",
    "filesrc",
    "fakesink",
    "pipeline",
    "valve",
}  # GStreamer's core


def probes(*missing: str) -> dict[str, Missing]:
    def probe(names: Iterable[str]) -> set[str]:
        return set(names) & set(missing)

    return dict.fromkeys(["element", "typelib", "library", "program", "driver", "model"], probe)


@pytest.mark.parametrize("url", URLS)
def test_every_element_of_a_graph_is_known(url: str) -> None:
    graph = camera_graph("gate", Camera.model_validate({"url": url}), "fakesink")
    inside = re.sub(r'"[^"]*"', "", graph).partition("(")[2]
    parts = [part.split()[0] for part in inside.split("!") if "=" not in part.split()[0]]
    elements = {p for p in parts if re.fullmatch(r"[a-z][a-z0-9]*", p)} - ALWAYS_THERE
    assert "mirrgb" in elements
    known = {need.name for need in NEEDS if need.kind == "element"}
    assert {"capssetter", "videoscale", "videoconvert"} <= known  # that mirrgb is made of
    assert {name for name in elements if not name.startswith("mir")} <= known


def test_each_need_says_what_for_and_how_to_get_it() -> None:
    assert all(need.purpose and need.command for need in NEEDS)
    assert len({need.name for need in NEEDS}) == len(NEEDS)


def test_packages_are_those_that_run_installs() -> None:
    run = (ROOT / "run").read_text(encoding="utf-8")
    required = {
        package
        for need in NEEDS
        if need.required and need.kind == "element" and need.name != "queue"
        for package in re.findall(r"apt-get install (\S+)", need.command)
    }
    assert not [package for package in required if f"  {package} " not in run]


def test_what_is_needed_fails(mirante: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.doctor._probes", lambda: probes("rtspsrc", "/dev/nvidia0"))
    outcome = mirante("doctor")
    assert outcome.status == 1
    assert (
        "rtspsrc (needed, rtsp:// cameras): apt-get install gstreamer1.0-plugins-good"
        in outcome.out.splitlines()
    )
    assert re.search(r"^MISSING +rtspsrc +element", outcome.out, re.MULTILINE)


def test_what_is_optional_does_not_fail(mirante: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.doctor._probes", lambda: probes("/dev/nvidia0"))
    outcome = mirante("doctor")
    assert outcome.status == 0
    assert "all that is needed is here" in outcome.out


def test_needs_of_a_configuration() -> None:
    names = {n.name for n in needs_of(parse_settings("cameras: {gate: {url: 'http://h/x'}}"))}
    assert {"appsrc", "jpegdec", "redis-server", "gi"} <= names
    assert "rtspsrc" not in names
    own = {n.name for n in needs_of(parse_settings("redis: {url: 'redis://h'}"))}
    assert "redis-server" not in own


@pytest.mark.usefixtures("as_configured")
def test_an_engine_needs_what_builds_and_runs_it() -> None:
    own = {need.name for need in needs_of(parse_settings("cameras: {}"))}
    assert own.isdisjoint({"auto", "onnxslim", "openvino"}), "it chooses from what is there"
    engine = "engine: {runtime: tensorrt-rtx, precision: fp16}"
    names = {need.name for need in needs_of(parse_settings(engine))}
    assert names - own == {"onnxslim", "tensorrt_rtx"}


def test_probes_tell_what_is_there_from_what_is_not() -> None:
    from pipeline.gst.probe_elements import missing_elements, missing_typelibs

    assert missing_elements(["queue", "nosuchelement"]) == {"nosuchelement"}
    assert missing_typelibs(["Gst-1.0", "Nosuch-1.0", "Gst-9.0"]) == {"Nosuch-1.0", "Gst-9.0"}


@pytest.mark.parametrize(("version", "is_missing"), [("6.0.16", True), ("7.0.15", False)])
def test_a_redis_server_that_is_too_old_is_missing(
    version: str, is_missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "redis-server"
    program.write_text(f"#!/bin/sh\necho Redis server v={version} sha=00000000:0 bits=64\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (need,) = (need for need in NEEDS if need.name == "redis-server")
    assert "6.2 or later" in need.purpose
    assert [finding.is_missing for finding in examine([need])] == [is_missing]


def test_check_names_what_the_machine_lacks(
    tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ok.yaml"
    file.write_text("cameras:\n  gate: {url: rtsp://h/x, stages: []}\n")
    monkeypatch.setattr("pipeline.doctor._probes", probes)
    assert mirante("check", str(file)).out == f"{file}: fine, 1 camera\n"
    monkeypatch.setattr("pipeline.doctor._probes", lambda: probes("rtspsrc"))
    outcome = mirante("check", str(file))
    assert outcome.status == 1
    assert outcome.err == "rtspsrc: missing — apt-get install gstreamer1.0-plugins-good\n"


def test_check_refuses_a_device_that_is_not_here_and_hints_at_streams_read_twice(
    tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.doctor._probes", probes)
    monkeypatch.setattr("pipeline.gst.decoders._factories", list)
    file = tmp_path / "two.yaml"
    yard = "yard: {url: rtsp://u:hunter2@h:554/x, stages: []}"
    text = f"cameras:\n  gate: {{url: rtsp://h/x, stages: [], decode: auto}}\n  {yard}\n"
    file.write_text(text)
    outcome = mirante("check", str(file))
    hint, fine = outcome.out.splitlines()
    assert hint.startswith("hint: rtsp://h/x: read by gate, yard, each in a session of its own;")
    assert fine == f"{file}: fine, 2 cameras"
    file.write_text(text.replace("auto", "nvidia"))
    outcome = mirante("check", str(file))
    assert outcome.status == 1
    assert outcome.err.startswith(
        'cameras.gate.decode: "nvidia" — expected "auto" or "software", as this machine has no '
        "decoder of that device; hardware decoders here: none; GStreamer has no nv…dec: "
    )
    lines = mirante("doctor").out.splitlines()
    assert "hardware decoders: none; video is decoded in software" in lines


def test_a_default_model_that_is_not_here_is_said_with_what_mends_it(
    tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in = StandIn(tmp_path, monkeypatch)
    line = (
        "yolox-street (optional, finding objects where a camera names no model; street runs "
        "without it and finds fewer): mirante models pull yolox-street"
    )
    outcome = mirante("doctor")
    assert re.search(r"^absent +yolox-street +model", outcome.out, re.MULTILINE)
    assert line in outcome.out.splitlines()
    stand_in.put(store(), content=b"damaged")
    assert line in mirante("doctor").out.splitlines()
    assert f"{store() / 'objects.onnx'}: wrong checksum" in caplog.text
    assert (store() / "objects.onnx").exists(), "it only looks"
    stand_in.put(store())
    outcome = mirante("doctor")
    assert re.search(r"^ok +yolox-street +model", outcome.out, re.MULTILINE)
    assert "models pull" not in outcome.out


def test_check_says_what_is_still_to_be_fetched(
    tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandIn(tmp_path, monkeypatch)
    monkeypatch.setattr("pipeline.doctor._probes", probes)
    file = tmp_path / "ok.yaml"
    file.write_text(
        "cameras:\n  gate: {url: rtsp://h/x, preview: {blur: [face]}}\n"
        "  yard: {url: rtsp://h/y, stages: [{model: yunet}]}\n"
    )
    fetched = "fetched at the first start, or now: mirante models pull"
    assert mirante("check", str(file)).out.splitlines() == [
        f"yolox-street: {fetched} yolox-street; street runs where it cannot be had",
        f"yunet: {fetched} yunet",
        f"{file}: fine, 2 cameras",
    ]
    stand_in.put(store())
    assert mirante("check", str(file)).out == f"{file}: fine, 2 cameras\n"


def test_examine_finds_this_machine_fit() -> None:
    assert [f.need.name for f in examine() if f.is_missing and f.need.required] == []
