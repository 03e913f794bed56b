"""Calls of many threads in one, on an engine whose calls end when the test says so."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from engines import batcher as module
from engines.batch_requests import Batch
from engines.batcher import Batcher, Batchers
from engines.runtimes import FeedError, TensorInfo, open_session
from tests.support.batch_callers import FLOAT, PATIENCE_S, Caller, Ended, Engine, behind, queue_up
from tests.support.onnx_networks import colour_grid

FOR_EVER_MS = 1e7


def test_who_finds_it_idle_runs_at_once_on_his_own_thread() -> None:
    engine = Engine()
    batcher = Batcher(engine, 8)
    x = np.ones((1, 3), np.float32)
    for _ in range(3):
        np.testing.assert_array_equal(batcher.run({"x": x})["y"], x * 2)
    assert engine.batches == [1, 1, 1]
    assert set(engine.threads) == {threading.get_ident()}
    assert all(fed is x for fed in engine.fed)


@pytest.mark.parametrize(("most", "batches"), [(8, [1, 8]), (5, [1, 5, 3]), (1, [1] * 9)])
def test_what_waits_behind_a_call_is_one_batch_and_each_gets_his_own(
    most: int, batches: list[int]
) -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, most, wait_ms=0)
    callers = [Caller(batcher, value) for value in range(8)]
    first = behind(engine, batcher, *callers)
    engine.step(9)
    for caller in (first, *callers):
        caller.check()
    assert engine.batches == batches
    assert engine.threads[:2] == [first.ident, callers[0].ident]


def test_one_that_waited_alone_is_fed_as_it_is() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8)
    caller = Caller(batcher, 1)
    behind(engine, batcher, caller)
    engine.step(2)
    caller.check()
    assert engine.fed[1] is caller.x


def test_pictures_of_other_shapes_do_not_mix_and_several_go_together() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=FOR_EVER_MS)
    narrow = [Caller(batcher, 1), Caller(batcher, 2, rows=3), Caller(batcher, 3)]
    wide = [Caller(batcher, 4, width=5), Caller(batcher, 5, width=5)]
    callers = [narrow[0], wide[0], narrow[1], wide[1], narrow[2]]
    behind(engine, batcher, *callers)
    queue_up(batcher, other := Caller(batcher, 6, width=4))
    engine.step(3)
    for caller in callers[:5]:
        caller.check()
    assert engine.batches[:3] == [1, 5, 2]
    batcher_closes = threading.Thread(target=batcher.close)  # nobody else comes: no more waiting
    batcher_closes.start()
    engine.step()
    other.check()
    batcher_closes.join(PATIENCE_S)
    assert engine.batches == [1, 5, 2, 1]


def test_only_who_breaks_a_batch_pays_for_it() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=0)
    callers = [Caller(batcher, 1), Caller(batcher, -1), Caller(batcher, 2)]
    behind(engine, batcher, *callers)
    engine.step(5)
    callers[0].check()
    callers[2].check()
    callers[1].ended()
    assert str(callers[1].error) == "broken by one of 1"
    assert engine.batches == [1, 3, 1, 1, 1]


def test_feeds_that_do_not_fit_never_join() -> None:
    engine = Engine(held=True)
    engine.inputs = {"x": engine.inputs["x"], "z": engine.inputs["x"]}
    batcher = Batcher(engine, 2)
    one = np.ones((1, 3), np.float32)
    refused: list[tuple[NDArray[Any], str]] = [
        (np.ones((1, 3)), "input x: expected float32, got float64"),
        (np.ones((3, 3), np.float32), "input x: expected 1 to 2 along its first axis, got 3"),
        (np.ones((0, 3), np.float32), "input x: expected 1 to 2 along its first axis, got 0"),
        (np.ones((2, 3), np.float32), "input z: expected 2 along its first axis as .*, got 1"),
    ]
    for x, words in refused:
        with pytest.raises(FeedError, match=words):
            batcher.run({"x": x, "z": one})
    assert engine.batches == []


def test_a_leader_waits_for_stragglers_and_who_comes_later_does_not() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=FOR_EVER_MS)
    behind(engine, batcher, pair := Caller(batcher, 1), Caller(batcher, 2))
    engine.step()
    assert engine.running() == 2
    queue_up(batcher, early := Caller(batcher, 3))
    engine.step()
    pair.check()
    late = Caller(batcher, 4)  # without it, early would wait for ever
    late.start()
    assert engine.running() == 2
    engine.step(2)
    early.check()
    late.check()
    idle = Caller(batcher, 5)
    idle.start()
    idle.check()
    assert engine.batches == [1, 2, 2, 1]


def test_stragglers_are_not_waited_for_beyond_the_deadline() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=1)
    behind(engine, batcher, Caller(batcher, 1), Caller(batcher, 2))
    engine.step()
    assert engine.running() == 2
    queue_up(batcher, early := Caller(batcher, 3))
    engine.step(2)
    early.check()
    assert engine.batches == [1, 2, 1]


def test_no_deadline_is_missed_for_a_straggler() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=FOR_EVER_MS)
    behind(engine, batcher, Caller(batcher, 1), Caller(batcher, 2))
    engine.step()
    assert engine.running() == 2
    queue_up(batcher, pressed := Caller(batcher, 3, by_s=time.monotonic()))
    engine.step(2)  # nobody else comes
    pressed.check()
    assert engine.batches == [1, 2, 1]


def test_what_is_wanted_first_goes_first_and_who_says_nothing_is_not_forgotten() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 1)
    now_s = time.monotonic()
    wanted = {1: now_s + 2e6, 2: None, 3: now_s + 1e6, 4: now_s - 1e6}
    callers = [Caller(batcher, value, by_s=by_s) for value, by_s in wanted.items()]
    behind(engine, batcher, *callers)
    engine.step(5)
    for caller in callers:
        caller.check()
    assert [fed[0, 0] for fed in engine.fed] == [100, 4, 2, 3, 1]


def test_as_many_calls_run_at_once_as_there_are_lanes() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=0, lanes=2)
    first = [Caller(batcher, 1), Caller(batcher, 2)]
    for caller in first:
        caller.start()
        assert engine.running() == 1
    behind = [Caller(batcher, 3), Caller(batcher, 4), Caller(batcher, 5, width=4)]
    queue_up(batcher, *behind)
    assert engine.entered.empty()
    engine.step()  # whichever ends, the batch that waits has its lane
    assert engine.running() == 2
    engine.step()
    assert engine.running() == 1
    engine.step(2)
    for caller in (*first, *behind):
        caller.check()
    batcher.close()
    assert engine.batches == [1, 1, 2, 1]


def test_answers_outlive_the_buffers() -> None:
    """Of an engine that gives back the very array that it is fed."""
    engine = Engine(held=True)
    engine.answer = lambda x: x
    batcher = Batcher(engine, 2, wait_ms=0)
    callers = [Caller(batcher, value) for value in range(8)]
    behind(engine, batcher, *callers)
    engine.step(5)
    for caller in callers:
        caller.check(times=1)
    assert engine.batches == [1, 2, 2, 2, 2]


def test_buffers_of_many_shapes_are_not_kept() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 2, wait_ms=0)
    callers = [Caller(batcher, 1, width=3 + index // 2) for index in range(12)]
    behind(engine, batcher, *callers)
    engine.step(7)
    for caller in callers:
        caller.check()
    batcher.close()
    assert len(batcher._free) == module.KEPT_SHAPES


def test_a_leader_that_is_ended_leaves_nobody_waiting() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=0)

    def end(x: NDArray[Any]) -> NDArray[Any]:
        if len(x) > 1:
            raise Ended
        return x * 2

    engine.answer = end
    callers = [Caller(batcher, 1), Caller(batcher, 2)]
    behind(engine, batcher, *callers)
    engine.step(2)
    for caller in callers:
        caller.ended()
    assert isinstance(callers[0].error, Ended)
    assert str(callers[1].error) == "the call for several failed: Ended()"
    engine.held = False
    last = Caller(batcher, 3)
    last.start()
    last.check()
    batcher.close()


def test_a_copy_that_is_cut_off_spoils_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=0)
    first, second = Caller(batcher, 1), Caller(batcher, 2)
    behind(engine, batcher, first)

    def ended(*_: object) -> None:
        raise Ended

    monkeypatch.setattr(Batch, "fill", ended)
    second.start()
    second.ended()
    assert isinstance(second.error, Ended)
    engine.step(3)
    first.check()


def test_a_session_that_takes_no_batches_is_refused() -> None:
    engine = Engine()
    engine.answer = lambda _: np.zeros((7, 1), np.float32)
    with pytest.raises(RuntimeError, match=r"output y: expected 1 along its first axis, .* \(7, 1"):
        Batcher(engine, 8).run({"x": np.ones((1, 3), np.float32)})
    engine.outputs = {"y": TensorInfo((1, 3), FLOAT)}
    with pytest.raises(ValueError, match=r"output y: expected an open first axis .* got \(1, 3\)"):
        Batcher(engine, 8)
    engine.inputs = {"x": TensorInfo((4, None), FLOAT)}
    with pytest.raises(ValueError, match=r"input x: expected an open .* got \(4, None\)"):
        Batcher(engine, 8)
    with pytest.raises(ValueError, match="max_batch: expected 1 or more, got 0"):
        Batcher(Engine(), 0)
    with pytest.raises(ValueError, match="lanes: expected 1 or more, got 0"):
        Batcher(Engine(), 1, lanes=0)
    with pytest.raises(ValueError, match="wait_ms: expected 0 or more, got -1"):
        Batcher(Engine(), 1, wait_ms=-1)


def test_an_output_without_the_batch_is_told_to_all() -> None:
    engine = Engine(held=True)
    engine.answer = lambda x: x[:1]
    batcher = Batcher(engine, 8, wait_ms=0)
    callers = [Caller(batcher, 1), Caller(batcher, 2)]
    behind(engine, batcher, *callers)
    engine.step(2)
    for caller in callers:
        caller.ended()
        assert str(caller.error).startswith("output y: expected 2 along its first axis, got")
    assert callers[0].error is not callers[1].error


def test_closing_waits_for_what_runs_and_takes_no_more() -> None:
    engine = Engine(held=True)
    batcher = Batcher(engine, 8, wait_ms=FOR_EVER_MS)
    caller = Caller(batcher, 1)
    first = behind(engine, batcher, caller)
    closer = threading.Thread(target=batcher.close)
    closer.start()
    engine.step()
    assert engine.running() == 1
    assert closer.is_alive()
    engine.step()
    closer.join(PATIENCE_S)
    assert not closer.is_alive()
    first.check()
    caller.check()
    batcher.close()
    with pytest.raises(RuntimeError, match="closed"):
        batcher.run({"x": np.ones((1, 3), np.float32)})


def test_many_callers_each_get_their_own() -> None:
    engine = Engine()

    def slowly(x: NDArray[Any]) -> NDArray[Any]:
        time.sleep(0.0005)  # else nobody ever waits: Python's threads take turns too slowly
        return x * 2

    engine.answer = slowly
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
    batchers = Batchers()
    batcher = batchers.of(session, 4)
    assert batchers.of(session, 4) is batcher
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
