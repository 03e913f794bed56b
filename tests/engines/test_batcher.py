"""Calls of many threads in one, on an engine whose calls end when the test says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx_networks import colour_grid

from engines.batcher import Batcher, batcher_of
from engines.runtimes import FeedError, TensorInfo, open_session

FLOAT = np.dtype(np.float32)
PATIENCE_S = 10.0


class Engine:
    """Doubles its input. While ``held`` it does not answer; pictures that are negative break it."""

    def __init__(self) -> None:
        self.inputs: Mapping[str, TensorInfo] = {"x": TensorInfo((None, None), FLOAT)}
        self.outputs: Mapping[str, TensorInfo] = {"y": TensorInfo((None, None), FLOAT)}
        self.batches: list[int] = []
        self.threads: list[int] = []
        self.entered = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.takes_s = 0.0

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        x = feeds["x"]
        self.batches.append(len(x))
        self.threads.append(threading.get_ident())
        self.entered.set()
        assert self.go.wait(PATIENCE_S)
        time.sleep(self.takes_s)
        if (x < 0).any():
            raise RuntimeError(f"broken by one of {len(x)}")
        return {"y": x * 2}


class Caller(threading.Thread):
    """One call on a thread of its own."""

    def __init__(self, batcher: Batcher, value: float, width: int = 3, rows: int = 1) -> None:
        super().__init__(daemon=True)
        self.batcher, self.value, self.shape = batcher, value, (rows, width)
        self.error: Exception | None = None
        self.y: Any = None

    def run(self) -> None:
        try:
            feeds = {"x": np.full(self.shape, self.value, np.float32)}
            self.y = self.batcher.run(feeds)["y"]
        except Exception as error:  # noqa: BLE001 the test looks at it
            self.error = error

    def answer(self) -> Any:
        self.join(PATIENCE_S)
        assert not self.is_alive()
        return self.y


def queued(batcher: Batcher, count: int) -> None:
    """Until so many wait."""
    until_s = time.monotonic() + PATIENCE_S
    while len(batcher._waiting) < count:
        assert time.monotonic() < until_s
        time.sleep(0.001)


def behind(engine: Engine, batcher: Batcher, callers: list[Caller]) -> Caller:
    """All callers in order behind a first call that runs; it is let go by ``engine.go``."""
    engine.go.clear()
    first = Caller(batcher, 100)
    first.start()
    assert engine.entered.wait(PATIENCE_S)
    for index, caller in enumerate(callers):
        caller.start()
        queued(batcher, index + 1)
    return first


def test_who_finds_it_idle_runs_at_once_on_his_own_thread() -> None:
    engine = Engine()
    batcher = Batcher(engine, 8)
    feeds = np.ones((1, 3), np.float32)
    for _ in range(3):
        np.testing.assert_array_equal(batcher.run({"x": feeds})["y"], feeds * 2)
    assert engine.batches == [1, 1, 1]
    assert set(engine.threads) == {threading.get_ident()}


@pytest.mark.parametrize(("most", "batches"), [(8, [1, 8]), (5, [1, 5, 3])])
def test_what_waits_behind_a_call_is_one_batch_and_each_gets_his_own(
    most: int, batches: list[int]
) -> None:
    engine = Engine()
    batcher = Batcher(engine, most, wait_ms=0)
    callers = [Caller(batcher, value) for value in range(8)]
    first = behind(engine, batcher, callers)
    engine.go.set()
    for caller in (first, *callers):
        np.testing.assert_array_equal(caller.answer(), np.full((1, 3), 2 * caller.value))
    assert engine.batches == batches


def test_pictures_of_other_shapes_do_not_mix_and_several_go_together() -> None:
    engine = Engine()
    batcher = Batcher(engine, 8, wait_ms=0)
    narrow = [Caller(batcher, 1), Caller(batcher, 2, rows=3), Caller(batcher, 3)]
    wide = [Caller(batcher, 4, width=5), Caller(batcher, 5, width=5)]
    callers = [narrow[0], wide[0], narrow[1], wide[1], narrow[2]]
    behind(engine, batcher, callers)
    engine.go.set()
    for caller in callers:
        np.testing.assert_array_equal(caller.answer(), np.full(caller.shape, 2 * caller.value))
    assert engine.batches == [1, 5, 2]


def test_only_who_breaks_a_batch_pays_for_it() -> None:
    engine = Engine()
    batcher = Batcher(engine, 8, wait_ms=0)
    callers = [Caller(batcher, 1), Caller(batcher, -1), Caller(batcher, 2)]
    behind(engine, batcher, callers)
    engine.go.set()
    assert [caller.answer() is None for caller in callers] == [False, True, False]
    assert str(callers[1].error) == "broken by one of 1"
    assert engine.batches == [1, 3, 1, 1, 1]


def test_feeds_that_do_not_fit_never_join() -> None:
    engine = Engine()
    batcher = Batcher(engine, 2)
    with pytest.raises(FeedError, match="input x: expected float32, got float64"):
        batcher.run({"x": np.ones((1, 3))})
    with pytest.raises(ValueError, match="batch: expected at most 2, got 3"):
        batcher.run({"x": np.ones((3, 3), np.float32)})
    assert engine.batches == []


def test_a_leader_waits_for_stragglers_that_came_the_last_time() -> None:
    engine = Engine()
    batcher = Batcher(engine, 8, wait_ms=1e3 * PATIENCE_S)
    callers = [Caller(batcher, 1), Caller(batcher, 2)]
    first = behind(engine, batcher, callers)
    engine.go.set()
    for caller in (first, *callers):
        caller.answer()
    assert engine.batches == [1, 2]
    early, late = Caller(batcher, 3), Caller(batcher, 4)
    early.start()
    queued(batcher, 1)
    assert engine.batches == [1, 2]  # he waits
    late.start()
    assert early.answer() is not None
    assert late.answer() is not None
    assert engine.batches == [1, 2, 2]


def test_stragglers_are_not_waited_for_beyond_the_deadline() -> None:
    engine = Engine()
    batcher = Batcher(engine, 8, wait_ms=1)
    batcher._last = 8
    assert batcher.run({"x": np.ones((1, 3), np.float32)})["y"].sum() == 6
    assert batcher._last == 1


def test_an_output_without_the_batch_is_refused() -> None:
    engine = Engine()
    engine.run = lambda feeds: {"y": np.zeros((7, 1), np.float32)}  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match=r"output y: expected 1 pictures .* got \(7, 1\)"):
        Batcher(engine, 8).run({"x": np.ones((1, 3), np.float32)})
    engine.outputs = {"y": TensorInfo((1, 3), FLOAT)}
    with pytest.raises(ValueError, match=r"output y: expected an open first axis .* got \(1, 3\)"):
        Batcher(engine, 8)
    with pytest.raises(ValueError, match="max_batch: expected >= 1, got 0"):
        Batcher(Engine(), 0)


def test_closing_waits_for_what_runs_and_takes_no_more() -> None:
    engine = Engine()
    batcher = Batcher(engine, 8, wait_ms=0)
    callers = [Caller(batcher, 1)]
    first = behind(engine, batcher, callers)
    closer = threading.Thread(target=batcher.close)
    closer.start()
    assert closer.is_alive()
    engine.go.set()
    closer.join(PATIENCE_S)
    assert not closer.is_alive()
    assert first.answer() is not None
    assert callers[0].answer() is not None
    with pytest.raises(RuntimeError, match="closed"):
        batcher.run({"x": np.ones((1, 3), np.float32)})


def test_many_callers_each_get_their_own() -> None:
    engine = Engine()
    engine.takes_s = 0.0005  # else nobody ever waits: Python's threads take turns too slowly
    batcher = Batcher(engine, 8, wait_ms=0.2)
    wrong: list[float] = []

    def calls(number: int) -> None:
        for index in range(200):
            value = float(number * 1000 + index)
            width = 3 + number % 2
            y = batcher.run({"x": np.full((1, width), value, np.float32)})["y"]
            if y.shape != (1, width) or (y != 2 * value).any():
                wrong.append(value)

    threads = [threading.Thread(target=calls, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert wrong == []
    assert sum(engine.batches) == 16 * 200
    assert len(engine.batches) < 16 * 200


def test_a_real_network_gives_each_what_it_gives_him_alone(tmp_path: Path) -> None:
    path = colour_grid(tmp_path / "grid.onnx", "yolov8", 32, 16)
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    for node in model.graph.node:  # the constant boxes have a batch of one
        if node.output[0] == "output0":
            node.op_type, node.input[:] = "Identity", ["classes"]
            del node.attribute[:]
    for tensor in model.graph.initializer:
        if tensor.name == "flat":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([0, 3, -1], np.int64), "flat"))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3
    onnx.save(model, path)
    session = open_session("onnxruntime", path, 1)
    batcher = batcher_of(session, 4)
    assert batcher_of(session, 4) is batcher
    random = np.random.default_rng(0)
    pictures = [random.random((1, 3, 16, 32)).astype(np.float32) for _ in range(24)]
    answers: dict[int, Any] = {}

    def call(index: int) -> None:
        answers[index] = batcher.run({"images": pictures[index]})["output0"]

    threads = [threading.Thread(target=call, args=(index,)) for index in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    for index, picture in enumerate(pictures):
        alone = session.run({"images": picture})["output0"]
        np.testing.assert_allclose(answers[index], alone, atol=1e-6)
