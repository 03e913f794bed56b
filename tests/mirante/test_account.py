"""What a consumer can prove from the counts alone."""

import pytest

from mirante import Counts, FrameResult
from mirante.client.account import Account, Tally


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
        (frame(500, epoch=2), frame(100, epoch=1), 99),  # the clock went back before it began again
    ],
)
def test_missing_before(before: FrameResult, after: FrameResult, missing: int) -> None:
    assert Tally.of(before).missing_before(Tally.of(after)) == missing


def missing(*seen: tuple[int, int]) -> list[int]:
    """Return what an account says is missing before each frame, given by epoch and number."""
    account, found = Account(), []
    for tally in map(Tally._make, seen):
        found.append(account.missing_before(tally))
        account.note(tally)
    return found


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([(1, 500), (1, 501), (1, 504)], [0, 0, 2]),
        ([(1, 500), (2, 3), (2, 4)], [0, 2, 0]),
        ([(2, 500), (1, 100), (1, 101)], [0, 99, 0]),
        ([(1, 500), (2, 1), (1, 501), (2, 2), (1, 502), (2, 3)], [0] * 6),  # by turns
        ([(1, 500), (2, 1), (1, 503), (2, 3)], [0, 0, 2, 1]),  # … with losses of their own
        ([(1, 500), (2, 51), (1, 501), (2, 52)], [0, 50, 0, 0]),  # a new one is counted once
        ([(1, 5), (1, 5), (1, 4), (1, 5)], [0, 0, 0, 0]),  # delivered again
    ],
)
def test_epochs_that_change_and_come_back(seen: list[tuple[int, int]], expected: list[int]) -> None:
    assert missing(*seen) == expected


def test_epochs_without_end_are_not_kept() -> None:
    account = Account(*(Tally(epoch, 1) for epoch in range(1000)))
    assert account.missing_before(Tally(999, 2)) == 0
    assert len(account._newest) < 100


def test_what_another_reader_has_seen_is_not_missing_here() -> None:
    account = Account(Tally(1, 500), Tally(2, 9))
    for tally in (Tally(1, 505), Tally(2, 3)):
        account.raise_to(tally)
    assert account.missing_before(Tally(1, 506)) == account.missing_before(Tally(2, 10)) == 0
