"""One try of a webhook: its answer, its limit in time, and what is never tried again."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from bridges.webhook.posting import Answer, Poster
from bridges.webhook.presets import Request
from tests.support.certificate import certificate
from tests.support.receiver import Reply, receiving


@pytest.mark.parametrize(
    ("headers", "status", "body", "wait_s"),
    [
        ({"retry-after": "7"}, 503, b"", 7),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 503, b"", 0),
        ({"retry-after": "99999999"}, 503, b"", 3600),
        ({"retry-after": "soon"}, 503, b"", None),
        ({}, 429, b'{"message": "limited", "retry_after": 0.5, "global": false}', 0.5),
        ({}, 429, b'{"ok": false, "parameters": {"retry_after": 3}}', 3),
        ({}, 429, b"[]", None),
        ({}, 429, b"[" * 10_000, None),
        ({}, 503, b'{"retry_after": 1}', None),
    ],
)
def test_how_long_to_wait(
    headers: dict[str, str], status: int, body: bytes, wait_s: float | None
) -> None:
    with receiving() as receiver:
        receiver.replies.append(Reply(status, tuple(headers.items()), body))
        answer = posted(receiver.url)
    assert answer.wait_s == wait_s


@pytest.mark.parametrize("value", [" a", "a\nb", "ä"])
def test_what_cannot_be_sent_is_not_tried_again(value: str) -> None:
    with receiving() as receiver:
        poster = Poster(60)
        answer = poster.post(Request(receiver.url, {"X": value}, b""))
        poster.close()
        assert not receiver.tries
    assert (answer.status, answer.meaning) == (None, "never")
    assert answer.words.startswith("cannot be sent: ")


@pytest.mark.parametrize("breaks_off", [True, False])
def test_an_answer_whose_body_never_ends_is_one(breaks_off: bool) -> None:
    read = threading.Event()

    def serve(listening: socket.socket) -> None:
        made, _ = listening.accept()
        with made:
            made.recv(65536)
            made.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthanks")
            assert breaks_off or read.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        answer = posted(url, timeout_s=60 if breaks_off else 4)
        read.set()
        thread.join()
    assert (answer.status, answer.meaning, answer.head) == (200, "taken", b"thanks")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nx: "])
def test_bytes_that_drip_prolong_no_try(head: bytes) -> None:
    """Neither before the answer nor within its head; each would be in time by itself."""
    over = threading.Event()

    def serve(listening: socket.socket) -> None:
        made, _ = listening.accept()
        with made:
            made.sendall(head)
            with suppress(OSError):
                while not over.wait(0.02):
                    made.sendall(b"H" if not head else b"a")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        answer = posted(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout_s=0.5)
        over.set()
        thread.join()
    assert (answer.status, answer.meaning) == (None, "again")


@pytest.mark.parametrize("place", ["http://[", "http://h:port/", "//", "\xff"])
def test_a_redirect_to_no_address_is_one(place: str) -> None:
    with receiving() as receiver:
        receiver.replies.append(Reply(302, (("location", place),)))
        answer = posted(receiver.url)
    assert (answer.status, answer.meaning) == (302, "never")
    assert "redirects are not followed" in answer.words


def test_no_answer_in_time_is_tried_again() -> None:
    never = threading.Event()
    with receiving() as receiver:
        receiver.usual = lambda _got: Reply(after=never)
        answer = posted(receiver.url, timeout_s=0.2)
        never.set()
    assert (answer.status, answer.words, answer.meaning) == (
        None,
        "no answer within 0.2 s",
        "again",
    )


def test_tls_is_verified(tmp_path: Path) -> None:
    with receiving(tls=certificate(tmp_path)) as receiver:
        refused = posted(receiver.url)
        assert (refused.status, refused.meaning) == (None, "again")
        assert "certificate verify failed" in refused.words
        taken = posted(receiver.url, ca=tmp_path / "own.pem")
        assert (taken.status, taken.words, taken.meaning) == (200, "200 OK", "taken")
        assert len(receiver.got) == 1


def posted(url: str, timeout_s: float = 60, ca: Path | None = None) -> Answer:
    poster = Poster(timeout_s, ca)
    try:
        return poster.post(Request(url, {"Content-Type": "text/plain"}, b"x"))
    finally:
        poster.close()
