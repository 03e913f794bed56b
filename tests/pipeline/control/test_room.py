"""How many cameras fit: the arithmetic."""

from __future__ import annotations

import pytest

from pipeline.control.room import Space, fit, percent
from pipeline.control.trials import Trial

GIB = 1 << 30


def space(cores: float = 4, used: float = 0.2, free: int = 10 * GIB) -> Space:
    return Space(cores=cores, used=used, memory_bytes=20 * GIB, memory_free_bytes=free)


@pytest.mark.parametrize(
    ("there", "cores", "memory_bytes", "fits"),
    [
        (space(), 0.3, 0, 10),  # 4 * 0.8 - 0.2 = 3.0
        (space(), 0.31, 0, 9),
        (space(used=3.2), 0.01, 0, 0),
        (space(used=9.0), 0.01, 0, 0),  # more is in use than may be
        (space(), 0.3, GIB, 8),  # 10 - 2 kept free
        (space(free=GIB), 0.3, GIB, 0),
        (space(), 0.001, 0, 3000),
    ],
)
def test_so_many_fit(there: Space, cores: float, memory_bytes: int, fits: int) -> None:
    assert there.holds(cores, memory_bytes).more == fits


def test_what_runs_out_first_is_named() -> None:
    assert space().holds(0.3, GIB) == (8, "memory")
    assert space().holds(0.3, 1) == (10, "processor")
    left, each = {"processor": 2.0, "memory": 8.0, "GPU": 0.5}, {"processor": 0.1, "GPU": 0.1}
    assert fit(left, each) == (5, "GPU")
    assert fit({"processor": -1.0}, each) == (0, "processor")
    assert fit(left, {"processor": 0.0}) is None


@pytest.mark.parametrize(
    ("cores", "words"), [(0.0234, "2.3 %"), (0.0996, "10 %"), (0.206, "21 %"), (1.5, "150 %")]
)
def test_a_share_of_a_core_in_words(cores: float, words: str) -> None:
    assert percent(cores) == words


def test_a_camera_that_does_not_fit_is_warned_of() -> None:
    def trial(**keys: object) -> Trial:
        return Trial(connected=True, words="", seconds=1.0, **keys)  # type: ignore[arg-type]

    warned = trial(cpu_percent=35.2, free_percent=12.0, fits=False).warning
    assert warned is not None
    assert "takes about 35 % of a core when busy, and 12 % is left" in warned
    assert trial(cpu_percent=12.0, free_percent=35.0, fits=True).warning is None
    assert trial(cpu_percent=35.0).warning is None  # it runs already
    assert trial().warning is None
