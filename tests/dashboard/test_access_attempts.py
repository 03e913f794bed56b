"""How often a password may be tried: by address, by name, and by both."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.access.attempts import TooOftenError
from dashboard.access.slowed import NEW_ADDRESSES, SLOTS, Slowed
from tests.support.guarded_app import (
    BEARER,
    PASSWORD,
    TOKENS,
    USERS,
    Clock,
    browser,
    log_in,
    make_access,
)


def test_guesses_at_the_same_time_are_as_few(tmp_path: Path) -> None:
    attempts = make_access(tmp_path).attempts
    for _ in range(5):
        attempts.begin("192.0.2.7", "anna")
    with pytest.raises(TooOftenError):
        attempts.begin("192.0.2.7", "anna")


def test_failures_are_limited_by_name_and_address(tmp_path: Path, clock: Clock) -> None:
    access = make_access(tmp_path, clock, users=USERS)
    client, elsewhere = browser(access), browser(access, client=("192.0.2.8", 1))
    for _ in range(3):  # successes do not count
        assert log_in(client).status_code == 200
    for _ in range(5):
        assert log_in(client, password="wrong").status_code == 401
    clock.now += 20
    refused = log_in(client)  # even with the right one
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "40"
    assert refused.json()["detail"] == "too many failures; try again in 40 s"
    assert log_in(client, "ben").status_code == 200
    assert log_in(elsewhere).status_code == 200
    clock.now += 41
    assert log_in(client).status_code == 200


def test_failures_are_limited_by_address(tmp_path: Path, clock: Clock) -> None:
    access = make_access(tmp_path, clock, users=USERS, tokens=TOKENS)
    client = browser(access)
    wrong = {"Authorization": "Bearer wrong"}
    for number in range(10):
        assert log_in(client, f"nobody{number}").status_code == 401
        assert client.get("/api/v1/who", headers=wrong).status_code == 401
    assert log_in(client).status_code == 429
    for header in (wrong, BEARER):
        answer = client.get("/api/v1/who", headers=header)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) == 60
    assert browser(access, client=("192.0.2.8", 1)).get("/metrics", headers=BEARER).is_success
    clock.now += 61
    assert client.get("/api/v1/who", headers=BEARER).status_code == 200
    assert log_in(client).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "peer", "counted_together"),
    [
        ([], "10.0.0.2", True),
        (["10.0.0.0/30"], "10.0.0.2", False),
        (["10.0.0.1"], "10.0.0.2", True),
    ],
)
def test_whose_address_is_counted(
    tmp_path: Path, clock: Clock, proxies: list[str], peer: str, counted_together: bool
) -> None:
    access = make_access(tmp_path, clock, users=USERS, https=True, proxies=proxies)
    client = browser(access, client=(peer, 1))
    for number in range(6):
        client.headers["X-Forwarded-For"] = f"6.6.6.6, 203.0.113.{number}"
        answer = log_in(client, password="wrong")
    assert answer.status_code == (429 if counted_together else 401)


@pytest.mark.slow
def test_guesses_at_a_name_from_everywhere_are_slowed(tmp_path: Path, clock: Clock) -> None:
    access = make_access(tmp_path, clock, users=USERS)
    # By chance, one run in ten, two of these addresses would share a place.
    access.attempts._slowed._key = bytes(16)
    here = browser(access)  # anna logs in here now and then
    assert log_in(here).status_code == 200
    kept = here.cookies["mirante_known"]

    def guess(at: int, name: str = "anna", password: str = "x", **cookies: str) -> tuple[int, int]:
        client = browser(access, client=(f"2001:db8:0:{at:x}::1", 1))
        client.cookies.update(cookies)
        answer = log_in(client, name, password)
        return answer.status_code, int(answer.headers.get("retry-after", 0))

    assert {guess(at) for at in range(10)} == {(401, 0)}
    for at, wait_s in enumerate((1, 2, 4, 8, 16, 30, 30)):
        assert guess(at) == guess(at, password=PASSWORD) == (429, wait_s)  # the right one too
        clock.now += wait_s
        assert guess(at) == (401, 0)
    assert guess(9) == (429, 30)
    assert guess(100, password=PASSWORD) == (200, 0)  # an address that has not guessed
    assert guess(9, "ben") == (401, 0)  # another name
    assert {guess(at) for at in range(200, 200 + NEW_ADDRESSES)} == {(401, 0), (429, 30)}
    assert guess(300, password=PASSWORD) == (429, 30)  # there were too many such
    assert log_in(browser(access)).status_code == 200  # an address that is known
    assert guess(301, password=PASSWORD, mirante_known=kept) == (200, 0)  # a browser that is
    assert guess(9, "ben", mirante_known=kept)[0] == 401
    assert guess(302, mirante_known=kept[:-2] + "xx") == (429, 30)
    clock.now -= 7200  # a clock that is set back locks nobody out
    assert guess(9) == (429, 30)
    clock.now += 7200 + 901
    assert {guess(at) for at in range(10)} == {(401, 0)}
    assert guess(9) == (429, 1)


@pytest.mark.slow
def test_names_that_nobody_has_are_slowed_alike_in_bounded_memory() -> None:
    slowed = Slowed()
    assert [slowed.begin("nobody", "", "192.0.2.1") for _ in range(11)] == [0] * 10 + [1]
    for number in range(40_000):
        slowed.begin(f"name {number}", "", f"address {number}")
    assert len(slowed._counts) <= SLOTS
    assert len(slowed._failed) <= SLOTS


def test_addresses_of_one_network_are_one(tmp_path: Path, clock: Clock) -> None:
    access = make_access(tmp_path, clock, users=USERS)
    for number in range(5):
        assert log_in(browser(access, client=(f"2001:db8::{number}", 1)), "anna", "x").is_error
    assert log_in(browser(access, client=("2001:db8::ffff", 1))).status_code == 429
    assert log_in(browser(access, client=("2001:db8:0:1::1", 1))).status_code == 200
    for number in range(6):  # IPv4 in the dress of IPv6 is no network of its own
        mapped = browser(access, client=(f"::ffff:192.0.2.{number}", 1))
        assert log_in(mapped, "ben", "x").status_code == 401
