"""What ``mirante bench gpu`` runs of what a machine has: which engine, and what it lacks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gpu import building, needs
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.parts import PARTS
from engines.builder.request import Request
from engines.manifest import ZOO
from engines.store.engines import Engine


def test_callers_and_cameras_run_the_model_that_is_named_or_a_detector(
    home: Path,
) -> None:
    built = ("test-lane", "test-boxes")
    for name in built:
        (home / name).mkdir(parents=True)
        shutil.copy(ZOO / f"{name}.yaml", home / name / "manifest.yaml")

    def found(request: Request) -> Engine | None:
        if request.precision == "fp16":
            raise RuntimeError("it was not built")
        if request.model not in built:
            return None
        return Engine(request.model, home / request.model, {"model": request.model})

    models = ("test-lane", "face", "test-boxes")
    job = Job(seconds=0.0, models=models, precisions=("fp16", "fp32"), runtime="tensorrt")
    here = Here(find=found)
    assert building.chosen_engine(job, here)[0] == "test-boxes fp32"
    assert building.chosen_engine(replace(job, model="test-lane"), here)[0] == "test-lane fp32"
    lanes = replace(job, models=("test-lane", "face"))
    assert building.chosen_engine(lanes, here)[0] == "test-lane fp32"
    words = "no engine of face is here; of others: test-lane fp32, test-boxes fp32"
    with pytest.raises(RuntimeError, match=words):
        building.chosen_engine(replace(job, model="face"), here)


def test_no_rtsp_server_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(seconds=0.0, models=(), precisions=(), decode="software")
    assert needs.lacks("sender", job, Here()) == ""
    monkeypatch.setattr("pipeline.gst.probe_elements.missing_typelibs", set)
    said = needs.lacks("sender", job, Here())
    assert "gir1.2-gst-rtsp-server-1.0" in said
    assert "sender" in PARTS["line"].needs
