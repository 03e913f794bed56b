"""What a consumer can prove from the counts alone."""

import pytest

from mirante import Counts, FrameResult
from mirante.client.account import Tally


def frame(published: int, lost: int = 0, epoch: int = 1, rate: int = 5) -> FrameResult:
    dropped = {"rate": rate, "outbox": lost}
    counts = Counts(published + lost + rate, published, dropped, 0)
    return FrameResult("gate", published, epoch, 0, "arrival", 2, 2, counts=counts)


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        (frame(10), frame(11), 0),
        (frame(10, rate=0), frame(11, rate=90), 0),  # frames dropped on purpose are no gap
        (frame(10), frame(15), 4),
        (frame(10), frame(10, lost=1), 0),  # the outbox reports an old loss: none between these
        (frame(10, lost=2), frame(9, lost=6), 2),
        (frame(10), frame(1, epoch=2), 0),  # the publisher began again, and this is its first
        (frame(10), frame(4, epoch=2), 3),
        (frame(10), frame(10), 0),
        (frame(10, epoch=2), frame(12, epoch=1), 0),
    ],
)
def test_missing_before(before: FrameResult, after: FrameResult, missing: int) -> None:
    assert Tally.of(before).missing_before(Tally.of(after)) == missing
