"""Sessions of TensorRT and TensorRT-RTX give what ONNX Runtime does and break none of the rules.

GPU and library are simulated (``simulated_cuda``, ``simulated_tensorrt``), the code is not.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.runtimes import FeedError, RefusedError
from tests.support.simulated_cuda import Code
from tests.support.tensorrt_sessions import HEAD, VERSIONS, Bench, bench, expected, random_x

pytestmark = pytest.mark.slow

PLAIN = ["10", "11"]


@pytest.fixture(params=VERSIONS)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """One bench of each kind; nothing may have gone wrong on its GPU."""
    made = bench(tmp_path, request.param)
    yield made
    assert made.cuda.faults == []


def same(got: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        assert got[name].dtype == value.dtype, name
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_gives_what_onnx_runtime_gives_for_every_batch(here: Bench) -> None:
    session = here.open()
    fed = [random_x(batch, seed) for seed, batch in enumerate((1, 1, 1, 3, 3, 8, 8, 8, 2, 3, 1, 8))]
    got = [session.run(feeds) for feeds in fed]
    for feeds, outputs in zip(fed, got, strict=True):  # none was overwritten by a later call
        same(outputs, expected(here.network, feeds))


def test_says_what_goes_in_and_out(here: Bench) -> None:
    session = here.open()
    assert session.inputs["x"].shape == (None, 3, 6, 6)
    kinds = {name: (info.shape, info.dtype.name) for name, info in session.outputs.items()}
    assert kinds == {
        "scaled": ((None, 3, 6, 6), "float32"),
        "best": ((None, 6, 6), "int64"),
        "above": ((None, 3, 6, 6), "bool"),
        "mean": ((None, 3, 1, 1), "float16"),
    }


@pytest.mark.parametrize("kind", VERSIONS)
@pytest.mark.parametrize(("name", "type_"), [("uint8", 2), ("float16", 10), ("int64", 7)])
def test_feeds_other_types(tmp_path: Path, kind: str, name: str, type_: int) -> None:
    text = f"{HEAD}net ({name}[2,3] x) => ({name}[2,3] y, float[2,3] z) {{"
    text += f"z = Cast <to=1> (x)\n r = Add (z, z)\n y = Cast <to={type_}> (r) }}"
    here = bench(tmp_path, kind, text, {})
    feeds = {"x": np.arange(6, dtype=name).reshape(2, 3)}
    session = here.open()
    for _ in range(3):
        same(session.run(feeds), expected(here.network, feeds))


def test_feeds_arrays_that_are_not_contiguous(here: Bench) -> None:
    feeds = {"x": np.moveaxis(np.random.default_rng(1).random((2, 6, 6, 3), np.float32), 3, 1)}
    same(here.open().run(feeds), expected(here.network, feeds))


@pytest.mark.parametrize("kind", PLAIN)
def test_replays_one_graph_for_each_batch(tmp_path: Path, kind: str) -> None:
    here = bench(tmp_path, kind)
    session = here.open()
    assert here.cuda.launches == 2  # of each lane, the second call of the warm-up
    for batch in (8, 8):  # larger buffers: new addresses, nothing recorded before holds
        session.run(random_x(batch))
        session.run(random_x(batch))
    assert here.cuda.launches == 4
    enqueued = here.trt.enqueued
    for _ in range(5):
        session.run(random_x(8))
    assert (here.cuda.launches, here.trt.enqueued) == (9, enqueued)
    session.run(random_x(3))
    session.run(random_x(3))
    session.run(random_x(8))
    session.run(random_x(8))
    session.run(random_x(3))
    session.run(random_x(3))
    assert here.cuda.launches == 9 + 6 - 2  # each lane's first with a batch of 3 is not recorded


def test_rtx_records_by_itself(tmp_path: Path) -> None:
    here = bench(tmp_path, "rtx")
    session = here.open()
    for batch in (1, 1, 2, 8, 8, 8):
        session.run(random_x(batch))
    assert here.cuda.launches == 0
    assert len(here.trt.contexts) == 2  # one for each lane, whatever the shapes


def test_the_first_call_after_loading_is_a_replay(tmp_path: Path) -> None:
    here = bench(tmp_path, "11")
    session = here.open()
    enqueued = here.trt.enqueued
    session.run(random_x(2))  # the likeliest batch
    assert here.trt.enqueued == enqueued
    assert here.cuda.launches == 3


@pytest.mark.parametrize("kind", PLAIN)
def test_keeps_so_many_shapes(tmp_path: Path, kind: str) -> None:
    profiles = {"x": ((1, 3, 6, 6), (2, 3, 6, 6), (20, 3, 6, 6))}
    here = bench(tmp_path, kind, profiles=profiles)
    session = here.open()
    for batch in range(20, 0, -1):
        for _ in range(4):  # each lane twice, so that each records
            same(session.run(random_x(batch)), expected(here.network, random_x(batch)))
    gc.collect()
    assert len(here.trt.contexts) == 2 * 16
    assert here.cuda.open()["executables"] == 2 * 16
    assert here.cuda.faults == []


def test_threads_share_it(here: Bench) -> None:
    session = here.open()

    def work(seed: int) -> None:
        for turn in range(8):
            feeds = random_x(1 + (seed + turn) % 8, seed)
            same(session.run(feeds), expected(here.network, feeds))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))


def test_two_calls_run_at_once_and_no_more(here: Bench) -> None:
    session = here.open()
    lock, met, at_once = threading.Lock(), threading.Barrier(2), [0, 0]

    def before_work() -> None:
        with lock:
            at_once[0] += 1
            at_once[1] = max(at_once)
        met.wait(60)  # passes only when two are here
        with lock:
            at_once[0] -= 1

    here.cuda.before_work = before_work
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: session.run(random_x(2, seed)), range(4)))
    assert at_once == [0, 2]


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({}, r"input x: missing"),
        ({"x": np.zeros((1, 3, 6, 6))}, r"input x: expected float32, got float64"),
        ({"x": np.zeros((1, 3, 6, 5), np.float32)}, r"input x: expected \(any, 3, 6, 6\)"),
        (
            {"x": np.zeros((9, 3, 6, 6), np.float32)},
            r"input x: expected \(1\.\.8, 3, 6, 6\), for which the engine was built, "
            r"got \(9, 3, 6, 6\)",
        ),
        ({"x": np.zeros((0, 3, 6, 6), np.float32)}, r"expected \(1\.\.8, 3, 6, 6\)"),
    ],
)
def test_refuses_other_feeds(here: Bench, feeds: dict[str, Any], said: str) -> None:
    session = here.open()
    with pytest.raises(FeedError, match=said):
        session.run(feeds)
    same(session.run(random_x(4)), expected(here.network, random_x(4)))


def test_closing_gives_all_back(here: Bench) -> None:
    session = here.open()
    for batch in (1, 1, 8, 8):
        session.run(random_x(batch))
    assert here.cuda.open()
    session.close()
    session.close()
    gc.collect()
    assert here.cuda.open() == {}
    assert not here.trt.contexts
    with pytest.raises(RuntimeError, match=r"engine\.\w+: the session is closed"):
        session.run(random_x(1))


def test_the_last_reference_gives_all_back(here: Bench) -> None:
    session = here.open()
    session.run(random_x(1))
    del session
    gc.collect()
    assert here.cuda.open() == {}


def test_closing_waits_for_the_calls_that_run(here: Bench) -> None:
    session = here.open()
    running, go = threading.Event(), threading.Event()

    def before_work() -> None:
        running.set()
        assert go.wait(60)

    here.cuda.before_work = before_work
    with ThreadPoolExecutor(2) as pool:
        call = pool.submit(session.run, random_x(2))
        assert running.wait(60)
        closed = pool.submit(session.close)
        assert not closed.done()
        go.set()
        same(call.result(60), expected(here.network, random_x(2)))
        closed.result(60)
    assert here.cuda.open() == {}


@pytest.mark.parametrize("function", ["cudaMalloc", "cudaMallocHost", "cudaStreamCreateWithFlags"])
def test_a_start_that_fails_leaves_nothing(here: Bench, function: str) -> None:
    here.cuda.refuse[function] = Code.cudaErrorMemoryAllocation
    with pytest.raises(RuntimeError, match=r"the memory is full.*smaller largest batch"):
        here.open()
    gc.collect()
    assert here.cuda.open() == {}


@pytest.mark.parametrize("function", ["cudaMalloc", "cudaMallocHost"])
def test_goes_on_after_the_memory_was_full(here: Bench, function: str) -> None:
    session = here.open()
    here.cuda.refuse[function] = Code.cudaErrorMemoryAllocation
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the memory is full"):
            session.run(random_x(8))
    del here.cuda.refuse[function]
    for batch in (8, 2, 8, 2):
        same(session.run(random_x(batch)), expected(here.network, random_x(batch)))
    session.close()
    assert here.cuda.open() == {}


@pytest.mark.parametrize("kind", PLAIN)
def test_runs_without_graphs_what_cannot_be_recorded(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    here = bench(tmp_path, kind)
    here.trt.allocates = True
    with caplog.at_level(logging.WARNING):
        session = here.open()
        for batch in (2, 2, 2):
            same(session.run(random_x(batch)), expected(here.network, random_x(batch)))
    assert here.cuda.launches == 0
    assert here.cuda.faults == []
    assert [record.message.count("runs without CUDA graphs") for record in caplog.records] == [1, 1]
    session.close()
    assert here.cuda.open() == {}


def test_says_why_a_call_failed(here: Bench) -> None:
    session = here.open()
    here.trt.breaks = "Error Code 1: Cuda Runtime (out of memory)"
    with pytest.raises(RuntimeError, match=r"engine\.\w+: execute_async_v3 failed; Error Code 1"):
        session.run(random_x(5))
    here.trt.breaks = ""
    same(session.run(random_x(5)), expected(here.network, random_x(5)))
    here.cuda.refuse["cudaStreamSynchronize"] = Code.cudaErrorIllegalAddress
    with pytest.raises(RuntimeError, match="must be started again"):
        session.run(random_x(5))


def test_what_a_failed_call_queued_is_waited_for(here: Bench) -> None:
    session = here.open()
    here.trt.breaks = "Error Code 1: Cuda Runtime"
    with pytest.raises(RuntimeError, match="execute_async_v3 failed"):
        session.run(random_x(5))
    session.close()  # frees what the copies of that call use
    assert here.cuda.open() == {}


@pytest.mark.parametrize("kind", VERSIONS)
@pytest.mark.parametrize(
    ("oddities", "said"),
    [
        ({"unbounded": ["scaled"]}, "the size of scaled depends on the data; end the graph at"),
        ({"shapes": ["x"]}, "x holds a shape instead of data"),
        ({"bf16": ["mean"]}, "mean is BF16, which NumPy has not"),
    ],
)
def test_refuses_what_it_cannot_feed(
    tmp_path: Path, kind: str, oddities: dict[str, Any], said: str
) -> None:
    here = bench(tmp_path, kind, **oddities)
    with pytest.raises(RefusedError, match=said):
        here.open()
    gc.collect()
    assert here.cuda.open() == {}
