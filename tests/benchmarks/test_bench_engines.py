"""``mirante bench engines``: its tables, its JSON and what it refuses; small, and not how fast."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import onnxruntime
import pytest

from benchmarks import engines as bench
from benchmarks.engines import completed, row_words
from benchmarks.models.plan import Plan, Variant
from benchmarks.models.timing import Row
from tests.support.outcome import Run

pytestmark = pytest.mark.slow


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few calls of little."""
    for name, value in {
        "OVERHEAD_ROUNDS": 2,
        "NOTHING_CALLS": 3,
        "IDLE_CALLS": 3,
        "LOADED_S": 0.05,
    }.items():
        monkeypatch.setattr(bench, name, value)
    monkeypatch.setattr("benchmarks.models.peak.SIDE", 32)
    monkeypatch.setattr("benchmarks.models.rounds.BLOCK_S", 0.0)


@pytest.mark.usefixtures("small")
def test_tables_and_figures(tmp_path: Path, mirante: Run) -> None:
    file = tmp_path / "figures.json"
    arguments = ("--runtimes", "onnxruntime,nosuch", "--threads", "1", "--batch", "1,2")
    outcome = mirante(
        "bench", "engines", "test-lane", *arguments, "--rounds", "1", "--json", str(file)
    )
    assert outcome.status == 0, outcome.err
    found = json.loads(file.read_text())
    assert found["machine"] == outcome.out.splitlines()[0]
    rows = {(row["runtime"], row["batch"]): row for row in found["engines"]}
    assert list(rows) == [("onnxruntime", 1), ("nosuch", 1), ("onnxruntime", 2), ("nosuch", 2)]
    assert rows["onnxruntime", 1]["speed"] == 1
    assert 'no runtime "nosuch"' in rows["nosuch", 1]["refusal"]
    assert "of peak" in outcome.out
    assert "GFLOP/s in matrix products" in outcome.out
    added = {row["runtime"]: row["added"] for row in found["overhead"]}
    assert "onnxruntime" in added
    assert [row["batch"] for row in found["batcher"]] == [2, 2]
    assert found["batcher"][0]["engine"].startswith("simulated, 4 ms + 0.5 ms an image")
    assert found["batcher"][1]["engine"] == "test-lane, onnxruntime fp32, 1 threads"
    assert "batcher of 2: one caller with pauses, then 4 callers" in outcome.out


@pytest.mark.usefixtures("small")
def test_a_gpu_that_no_runtime_can_use(
    tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row says why, and what needs no GPU is measured."""
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA Toy, 8.9, 580.1, 1 MiB'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("benchmarks.models.peak.GPU_SIDE", 32)
    runtimes = "nosuch,engines.inspect.basic:open_cuda_session"
    arguments = ("--gpu", "--runtimes", runtimes, "--batch", "2", "--rounds", "1")
    outcome = mirante("bench", "engines", "test-lane", *arguments)
    assert outcome.status == 0, outcome.err
    assert "; NVIDIA Toy (sm89), 1 MiB, driver 580.1" in outcome.out.splitlines()[0]
    assert 'no runtime "nosuch"' in outcome.out
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        assert "this onnxruntime has no CUDAExecutionProvider" in outcome.out
    assert re.search(r"^ampere\+ +(not built|refused|runs)", outcome.out, re.MULTILINE)
    assert "\nsimulated, 4 ms + 0.5 ms an image " in outcome.out


def test_plans() -> None:
    plan = completed(Plan(models=("street",), precisions=("fp32", "int8")))
    assert plan.runtimes == ("onnxruntime", "openvino")
    assert len(list(plan.variants())) == 2 * 2 * 2 * 2
    assert next(iter(plan.variants())) == Variant("street", "onnxruntime", "fp32", 1, 1)
    plan = completed(Plan(precisions=("fp16",), batches=(8,), on_gpu=True))
    assert plan.threads == (1,)
    assert plan.runtimes[:2] == ("tensorrt", "tensorrt-rtx")
    assert "street" in plan.models


def test_a_row_of_words() -> None:
    variant = Variant("street", "openvino", "int8", 2, 4)
    row = Row(variant, "", 8.0, 1.5, 0.404, 2.25, 4_400_000, "boxes 0.99")
    cells = dict(zip(bench.ROW_HEADINGS, row_words(row), strict=True))
    assert cells["pictures/s"] == "500.0"
    assert (cells["of peak"], cells["build s"], cells["MB"]) == ("40%", "2.2", "4.4")
    refused = row_words(Row(variant, "openvino is missing"))
    assert len(refused) == len(bench.ROW_HEADINGS)
    assert refused[-1] == "openvino is missing"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--precision", "fp31"], 2, '--precision: no precision "fp31"; did you mean "fp32"?'),
        (["--threads", "0"], 2, "--threads: expected whole numbers from 1 such as 1,2, got '0'"),
        (["--batch", "one"], 2, "--batch: expected whole numbers"),
        (["stret"], 2, 'no model "stret"; did you mean "street"?'),
        (["--json", "nosuch/figures.json"], 2, "--json: expected a file in a folder that is there"),
        (["--gpu"], 1, "--gpu: expected an NVIDIA GPU and its driver"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    status: int,
    words: str,
    mirante: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    outcome = mirante("bench", "engines", *arguments)
    assert (outcome.status, words in outcome.err) == (status, True), outcome.err
