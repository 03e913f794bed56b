"""Runtimes on GStreamer's threads, beside GStreamer's libraries, in a process of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

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
line = (
    "videotestsrc num-buffers=40 pattern=red ! video/x-raw,format=RGB,width=96,height=64"
    f" ! mirinfer name=infer model={sys.argv[1]} ! fakesink name=end"
)
pipelines = [Gst.parse_launch(line) for _ in range(3)]
for pipeline in pipelines:
    pipeline.set_state(Gst.State.PLAYING)
for pipeline in pipelines:
    wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.WARNING
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, wanted)
    assert message is not None and message.type == Gst.MessageType.EOS, message
    assert pipeline.get_by_name("infer").ledger.counts()[0].failed == 0
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
try:
    open_session(sys.argv[1], Path(sys.argv[2]), 1)
except RefusedError:
    print("refused")
"""


def run(code: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("runtime", ["openvino", "kserve-http", "kserve-grpc", "tf-serving"])
def test_three_cameras_run_it_at_once(runtime: str, tmp_path: Path) -> None:
    need(runtime)
    path = colour_grid(tmp_path / "grid.onnx", "yolov8", 96, 64)
    models = Models()
    models.add("grid", path)
    server = GrpcServer(models) if runtime == "kserve-grpc" else HttpServer(models)
    scheme = "grpc" if runtime == "kserve-grpc" else "http"
    where = {"url": f"{scheme}://127.0.0.1:{server.port}", "model": "grid", "timeout_s": 20}
    manifest = {
        "name": "grid",
        "task": "detect",
        "licence": "MIT",
        "runtime": runtime,
        **({"file": str(path)} if runtime == "openvino" else {"server": where}),
        "input": {"name": "images", "size": [96, 64], "scale": 1 / 255},
        "decoder": "yolov8",
        "labels": ["red", "green", "blue"],
        "threshold": 0.5,
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(manifest))
    try:
        assert run(LAUNCH, str(tmp_path / "grid.yaml")) == "all frames done\n"
    finally:
        server.stop()
    assert models.asked == (0 if runtime == "openvino" else 3 * 41)  # each is tried out once


@pytest.mark.parametrize(
    ("runtime", "suffix"), [("onnxruntime", "onnx"), ("openvino", "xml"), ("litert", "tflite")]
)
def test_a_refused_file_leaves_the_process_alive(runtime: str, suffix: str, tmp_path: Path) -> None:
    need(runtime)
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(b"no network")
    assert run(REFUSED, runtime, str(path)) == "refused\n"
