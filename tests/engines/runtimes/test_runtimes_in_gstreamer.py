"""Runtimes on GStreamer's threads, beside GStreamer's libraries, in a process of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import ROOT
from tests.support.contract_cases import need
from tests.support.grpc_model_server import GrpcServer
from tests.support.model_server import HttpServer, Models
from tests.support.onnx_networks import colour_grid

pytestmark = [
    pytest.mark.slow,
    pytest.mark.rtsp,
    pytest.mark.skipif(importlib.util.find_spec("gi") is None, reason="no GStreamer"),
]
LAUNCH = """
import sys
import plugins.unwinding
import gi
gi.require_version("Gst", "1.0")
from gi.repository import Gst
from plugins.elements import register
Gst.init(None)
register()
for model in sys.argv[1:]:
    line = (
        "videotestsrc num-buffers=15 pattern=red ! video/x-raw,format=RGB,width=96,height=64"
        f" ! mirinfer name=infer model={model} ! fakesink name=end"
    )
    pipelines = [Gst.parse_launch(line) for _ in range(3)]
    for pipeline in pipelines:
        pipeline.set_state(Gst.State.PLAYING)
    for pipeline in pipelines:
        wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.WARNING
        message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, wanted)
        assert message is not None and message.type == Gst.MessageType.EOS, (model, message)
        assert pipeline.get_by_name("infer").ledger.counts()[0].failed == 0, model
        pipeline.set_state(Gst.State.NULL)
    print("all frames done")
"""
REFUSED = """
import sys
import plugins.unwinding
import gi
gi.require_version("Gst", "1.0")
from gi.repository import Gst
Gst.init(None)
from pathlib import Path
from engines.runtimes import RefusedError, open_session
for runtime, path in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        open_session(runtime, Path(path), 1)
    except RefusedError:
        print(runtime, "refuses it", flush=True)
"""


def run(code: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_manifest(folder: Path, runtime: str, place: dict[str, Any]) -> str:
    """Return the path of the manifest of a model that is at ``place``."""
    manifest = {
        "name": "grid",
        "task": "detect",
        "licence": "MIT",
        "runtime": runtime,
        **place,
        "input": {"name": "images", "size": [96, 64], "scale": 1 / 255},
        "decoder": "yolov8",
        "labels": ["red", "green", "blue"],
        "threshold": 0.5,
    }
    path = folder / f"{runtime}.yaml"
    path.write_text(yaml.safe_dump(manifest))
    return str(path)


def test_three_cameras_run_it_at_once(tmp_path: Path) -> None:
    need("openvino")
    path = colour_grid(tmp_path / "grid.onnx", "yolov8", 96, 64)
    manifest = write_manifest(tmp_path, "openvino", {"file": str(path)})
    assert run(LAUNCH, manifest) == "all frames done\n"


def test_three_cameras_ask_a_server_at_once(tmp_path: Path) -> None:
    """One protocol after the other."""
    asking = ("kserve-http", "tf-serving", "kserve-grpc")
    for runtime in asking:
        need(runtime)
    models = Models()
    models.add("grid", colour_grid(tmp_path / "grid.onnx", "yolov8", 96, 64))
    http, grpc = HttpServer(models), GrpcServer(models)
    try:
        manifests = []
        for runtime in asking:
            is_grpc = runtime == "kserve-grpc"
            url = f"grpc://127.0.0.1:{grpc.port}" if is_grpc else f"http://127.0.0.1:{http.port}"
            place = {"server": {"url": url, "model": "grid", "timeout_s": 60}}
            manifests.append(write_manifest(tmp_path, runtime, place))
        assert run(LAUNCH, *manifests) == "all frames done\n" * 3
    finally:
        http.stop()
        grpc.stop()
    assert models.asked == 3 * 3 * 16  # each is tried out once


def test_refused_files_leave_the_process_alive(tmp_path: Path) -> None:
    arguments: list[str] = []
    for runtime, suffix in (("onnxruntime", "onnx"), ("openvino", "xml"), ("litert", "tflite")):
        need(runtime)
        path = tmp_path / f"broken.{suffix}"
        path.write_bytes(b"no network")
        arguments += [runtime, str(path)]
    said = run(REFUSED, *arguments).splitlines()
    assert said == [f"{runtime} refuses it" for runtime in arguments[::2]]
