from mirante.backoff import Backoff


def test_waits_double_to_the_longest_and_begin_again() -> None:
    backoff = Backoff(0.5, 3.0, uniform=lambda: 1.0)
    assert [backoff.next_s() for _ in range(4)] == [0.5, 1.0, 2.0, 3.0]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_jitter_only_shortens() -> None:
    assert Backoff(1.0, jitter=0.25, uniform=lambda: 0.0).next_s() == 0.75
    assert Backoff(1.0, jitter=0.25, uniform=lambda: 0.5).shortened(8.0) == 7.0
    waits_s = [Backoff(1.0, 1.0).next_s() for _ in range(200)]
    assert 0.5 <= min(waits_s) < max(waits_s) <= 1.0
