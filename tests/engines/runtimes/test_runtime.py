from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.runtimes import open_session
from tests.support import ROOT
from tests.support.onnx_networks import colour_grid


def test_a_session_declares_its_tensors_and_runs(tmp_path: Path) -> None:
    path = colour_grid(tmp_path / "grid.onnx", "yolov8", 32, 16)
    session = open_session("onnxruntime", path, 1)
    assert session.inputs["images"].shape == (1, 3, 16, 32)
    assert session.inputs["images"].dtype == np.float32
    assert list(session.outputs) == ["output0"]
    outputs = session.run({"images": np.zeros((1, 3, 16, 32), np.float32)})
    assert outputs["output0"].shape == session.outputs["output0"].shape == (1, 7, 10)


def test_idle_threads_do_not_spin_and_are_as_many_as_asked(tmp_path: Path) -> None:
    path = colour_grid(tmp_path / "grid.onnx", "yolov8", 32, 16)
    options = open_session("onnxruntime", path, 2)._session.get_session_options()  # type: ignore[attr-defined]
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.intra_op_num_threads == 2


def test_a_file_that_was_replaced_is_another_session(tmp_path: Path) -> None:
    path = colour_grid(tmp_path / "grid.onnx", "yolov8", 32, 16)
    before = open_session("onnxruntime", path, 1)
    assert open_session("onnxruntime", path, 1) is before
    colour_grid(path, "yolov8", 64, 32)
    assert open_session("onnxruntime", path, 1).inputs["images"].shape == (1, 3, 32, 64)


def test_a_dynamic_axis_is_none(tmp_path: Path) -> None:
    path = ROOT / "engines" / "zoo" / "test-boxes.onnx"
    session = open_session("onnxruntime", path, 1)
    assert session.inputs["image"].shape == (1, 3, None, None)
