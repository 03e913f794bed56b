"""Of the rows that the kernels keep decoders make the boxes that they make of the whole table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.cuda.boxes import SIFT, Sifted, Table, sift
from engines.decoders import Spec, yolov5, yolov8, yolox
from engines.decoders.candidates import best, classify
from engines.found import Boxes
from tests.support.host_kernels import Host, built

pytestmark = pytest.mark.slow

CLASSES = 5
THRESHOLD = np.array([0.5, 0.6, 0.25, 0.9, 0.4], np.float32)
SPEC = Spec(tuple("abcde"), THRESHOLD, 0.6, (64, 64))
GUARD = 0xDEAD


@pytest.fixture(scope="module")
def host() -> Host:
    return built()


def table_of(rows: int, extra: int, dtype: str, seed: int = 1) -> NDArray[Any]:
    """Return boxes, ``extra`` columns of 0 to 1, and classes; scores are of 65 levels."""
    rng = np.random.default_rng(seed)
    boxes = rng.uniform(0, 3, (rows, 4))
    scores = (rng.random((rows, extra + CLASSES)) ** 4 * 64).round() / 64
    return np.hstack([boxes, scores]).astype(dtype)


def kept(
    host: Host, table: NDArray[Any], objectness: int | None, limit: int = 3000, first: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int32], list[int]]:
    """Return the rows that the kernels keep of a table, their numbers, and the three counts."""
    stored = np.ascontiguousarray(table.T if first else table)
    rows, columns = table.shape
    keys = np.full(rows + 1, GUARD, np.uint32)
    picked = np.full(limit + 1, GUARD, np.int32)
    values = np.full((limit + 1, columns), GUARD, np.float32)
    before = None
    for backwards in (False, True):
        counts = np.zeros(4, np.uint32)
        for work in sift(
            Table(
                stored.ctypes.data,
                stored.dtype,
                rows,
                columns,
                columns - CLASSES,
                CLASSES,
                objectness,
                first,
            ),
            Sifted(
                THRESHOLD.ctypes.data,
                keys.ctypes.data,
                picked.ctypes.data,
                values.ctypes.data,
                counts.ctypes.data,
                limit,
            ),
        ):
            host.run(work, backwards)
        n = int(counts[0])
        after = (values.copy(), picked.copy(), counts)
        assert before is None or all(map(np.array_equal, before, after))
        before = after
    assert keys[-1] == GUARD
    assert (picked[n:] == GUARD).all()
    assert (values[n:] == GUARD).all()
    return values[:n], picked[:n], counts[:3].tolist()


def assert_same(one: Boxes, other: Boxes) -> None:
    assert len(one.score) > 3
    for name in ("xyxy", "score", "class_id"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_the_structure_is_that_of_the_kernels(host: Host) -> None:
    assert host.size_of(2) == SIFT.itemsize


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("multi_label", [False, True])
def test_yolov8(host: Host, dtype: str, first: bool, multi_label: bool) -> None:
    table = table_of(700, 0, dtype)
    rows, _, _ = kept(host, table, None, first=first)
    assert len(rows) < 600
    whole, few = (
        yolov8.decode({"x": each[None]}, SPEC, channels="last", multi_label=multi_label)
        for each in (table, rows)
    )
    assert_same(whole, few)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_yolov5(host: Host, dtype: str) -> None:
    table = table_of(700, 1, dtype)
    whole, few = (
        yolov5.decode({"x": each[None]}, SPEC) for each in (table, kept(host, table, 4)[0])
    )
    assert_same(whole, few)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_yolox(host: Host, dtype: str) -> None:
    """Its rows need their number, which says in what cell of the grid they are."""
    grid = yolox._grid((64, 64), (8, 16, 32))
    table = table_of(len(grid), 1, dtype)
    table[:, 4:] **= 0.5
    rows, picked, _ = kept(host, table, 4)
    assert_same(yolox.decode({"x": table[None]}, SPEC), yolox.of_cells(rows, grid[picked], SPEC))


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 1000])
@pytest.mark.parametrize("limit", [1, 7, 100, 999])
def test_the_best_are_kept_and_the_first_of_equals(host: Host, rows: int, limit: int) -> None:
    table = table_of(rows, 0, "float32", seed=rows)
    reach, score, _ = classify(table[:, 4:], THRESHOLD)
    expected = np.sort(reach[best(score, limit)])
    values, picked, counts = kept(host, table, None, limit)
    assert picked.tolist() == expected.tolist()
    assert np.array_equal(values, table[expected])
    assert counts == [len(expected), len(reach), 0]


def test_nothing_is_found_in_nothing(host: Host) -> None:
    assert kept(host, np.zeros((300, 9), np.float32), None)[2] == [0, 0, 0]


def test_all_equal_rows_are_cut_in_order(host: Host) -> None:
    table = np.ones((600, 9), np.float32)
    assert kept(host, table, None, 33)[1].tolist() == list(range(33))


def test_a_threshold_of_zero_is_reached_by_zero(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "THRESHOLD", np.zeros(CLASSES, np.float32))
    assert kept(host, np.zeros((5, 9), np.float32), None)[2] == [5, 5, 0]


def test_values_that_are_no_numbers_are_counted(host: Host) -> None:
    table = table_of(300, 1, "float32")
    table[[3, 280, 17], [0, 5, 8]] = np.nan, np.inf, -np.inf
    assert kept(host, table, 4)[2][2] == 3


def test_a_barrier_where_none_is_said_fails(host: Host) -> None:
    """The shim tells: a kernel with barriers cannot be run thread after thread."""
    work = np.zeros((), SIFT)
    (_, pick, _) = sift(Table(0, np.dtype(np.float32), 1, 9, 4, 5), Sifted(0, 0, 0, 0, 0))
    assert pick.parameters.dtype == work.dtype
    with pytest.raises(AssertionError, match="pick_rows: barriers are misused"):
        host.run(pick, barriers=False)
