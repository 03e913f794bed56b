"""The bare loop on simulated CUDA and TensorRT: what it launches, copies, gives back, refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.runtimes import RefusedError
from engines.runtimes.tensorrt.cuda import Cuda
from engines.runtimes.tensorrt.floor import Floor, Load, measure_floor
from tests.support.simulated_cuda import Code
from tests.support.tensorrt_sessions import HEAD, VERSIONS, Bench, bench

ONCE = Load(seconds=0.0)


@pytest.fixture(params=VERSIONS)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """One bench of each kind; nothing may have gone wrong on its GPU, and nothing may be left."""
    made = bench(tmp_path, request.param)
    yield made
    assert made.cuda.faults == []
    assert made.cuda.open() == {}


def measured(here: Bench, load: Load = ONCE) -> Floor:
    return measure_floor(here.path, here.library.runtime, load, here.library, Cuda(here.cuda))


def test_a_call_is_one_launch(here: Bench) -> None:
    floor = measured(here, Load(seconds=0.0, lanes=3, batch=8))
    assert (floor.batch, floor.lanes, floor.calls) == (8, 3, 3)
    assert floor.graphs
    assert floor.pictures_per_s == pytest.approx(8 * 3 / floor.seconds)
    assert 0 < floor.ms <= floor.p99_ms
    # Three to warm up and one that is measured, of each lane. TensorRT-RTX records by itself.
    launches = 0 if here.is_rtx else 3 * 3
    assert here.cuda.launches == launches


def test_runs_for_as_long_as_is_asked(here: Bench) -> None:
    floor = measured(here, Load(seconds=0.05, lanes=1))
    assert floor.batch == 2  # what the profile was made fast for
    assert floor.seconds >= 0.05


@pytest.mark.parametrize("copies", [True, False])
def test_copies_where_that_is_asked(here: Bench, copies: bool) -> None:
    queued = []
    enqueue = here.cuda.enqueue
    here.cuda.enqueue = lambda *work: (queued.append(work), enqueue(*work))[1]  # type: ignore[method-assign, func-returns-value]
    measured(here, Load(seconds=0.0, lanes=1, copies=copies))
    # The input once; then each call with an input and four outputs, or without.
    calls = 4 if here.is_rtx else 5  # the recording counts, and each launch queues what it holds
    assert len(queued) == 1 + calls * (6 if copies else 1)


def test_an_engine_that_allocates_runs_without_graphs(tmp_path: Path) -> None:
    here = bench(tmp_path, "11")
    here.trt.allocates = True
    assert not measured(here).graphs
    assert here.cuda.open() == {}


def test_refuses_a_batch_and_an_output_without_a_size(tmp_path: Path) -> None:
    here = bench(tmp_path, "11")
    with pytest.raises(
        ValueError, match=r"batch: input x takes \(1\.\.8, 3, 6, 6\), got \(9, 3, 6, 6\)"
    ):
        measured(here, Load(batch=9))
    text = f"{HEAD}net (float[2,3] x) => (float[2,3] y) {{ y = Add (x, x) }}"
    with pytest.raises(RefusedError, match="the size of y depends on the data"):
        measured(bench(tmp_path, "11", text, {}, unbounded=["y"]))


def test_says_what_fails_and_gives_all_back(here: Bench) -> None:
    here.trt.breaks = "cuDNN has a cold"
    with pytest.raises(
        RuntimeError, match=r"engine\.\w+: execute_async_v3 failed; cuDNN has a cold"
    ):
        measured(here)
    here.trt.breaks = ""
    here.cuda.refuse["cudaMalloc"] = Code.cudaErrorMemoryAllocation
    with pytest.raises(RuntimeError, match="the memory is full"):
        measured(here)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"batch": 0}, "batch: expected 1 or more, got 0"),
        ({"lanes": 0}, "lanes: expected 1 to 16, got 0"),
        ({"lanes": 17}, "lanes: expected 1 to 16, got 17"),
        ({"seconds": -1.0}, "seconds: expected 0 to 3600, got -1"),
    ],
)
def test_bad_loads(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        Load(**keys)
