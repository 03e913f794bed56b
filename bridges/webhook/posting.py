"""One try to send a request, and what its answer means."""

from __future__ import annotations

import json
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

import httpx

from bridges.webhook.presets import Request
from engines.runtimes.remote.deadline import Deadline, DeadlineBackend

_SLICE_BYTES = 16 << 10  # of a request, before each of which the time left is looked at
AT_ONCE = 8  # requests to one address
MOST_ANSWER_BYTES = 16 << 10  # that are read of an answer; a longer one ends its connection
SHOWN_BYTES = 300
LONGEST_WAIT_S = 3600.0  # of what Retry-After may ask for
_AGAIN = frozenset({408, 425, 429})
_REDIRECT = range(300, 400)

Meaning = Literal["taken", "again", "never"]


class Answer(NamedTuple):
    """The outcome of a try.

    Attributes:
        status: of HTTP; None where no answer came.
        words: what happened, without secrets.
        head: the first bytes of the answer.
        seconds: that it took.
        wait_s: seconds that the receiver asks to wait; None where it does not say.
        is_ours: nothing was sent, and sending it again would not help.
    """

    status: int | None
    words: str
    head: bytes = b""
    seconds: float = 0.0
    wait_s: float | None = None
    is_ours: bool = False

    @property
    def meaning(self) -> Meaning:
        """Whether the message is taken, may be later, or never will be.

        Tried again are 408, 425, 429, each 5xx, and where no answer came. A redirect is not
        followed, as it may lead where nobody meant to send.
        """
        if self.is_ours:
            return "never"
        if self.status is None or self.status in _AGAIN or self.status >= 500:
            return "again"
        return "taken" if 200 <= self.status < 300 else "never"


class Poster:
    """Sends requests to one address, by connections that are kept. Safe between threads.

    Args:
        timeout_s: for one try, until its answer was read.
        ca: file of certificates to trust; None for the system's.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, timeout_s: float, ca: Path | None = None) -> None:
        self._timeout_s = timeout_s
        self._deadline = Deadline()
        network = DeadlineBackend(self._deadline, _SLICE_BYTES)
        self._client = httpx.Client(
            verify=ssl.create_default_context(cafile=ca),
            timeout=timeout_s,
            follow_redirects=False,
            event_hooks={"response": [_stay]},
            limits=httpx.Limits(max_connections=AT_ONCE + 1),  # and one for a test
            headers={"User-Agent": f"mirante/{version('mirante')}"},
        )
        for way in (self._client._transport, *self._client._mounts.values()):
            if isinstance(way, httpx.HTTPTransport):  # also that of a proxy
                way._pool._network_backend = network

    def post(self, request: Request) -> Answer:
        """Send a request once, and return what came of it; raises nothing of the network."""
        began_s = time.monotonic()
        self._deadline.set(self._timeout_s)
        try:
            with self._client.stream(
                "POST", request.url, headers=request.headers, content=request.body
            ) as answer:
                head = _read(answer)
        except httpx.TimeoutException:
            words = f"no answer within {self._timeout_s:g} s"
            return Answer(None, words, seconds=time.monotonic() - began_s)
        except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError) as error:
            # Made of what HTTP cannot carry: it would fail each time, and hold up what is behind.
            return Answer(None, f"cannot be sent: {_said(error)}", is_ours=True)
        except (httpx.HTTPError, OSError) as error:
            return Answer(None, _said(error), seconds=time.monotonic() - began_s)
        took_s, status = time.monotonic() - began_s, answer.status_code
        words = f"{status} {answer.reason_phrase}".strip()
        if status in _REDIRECT:
            words += "; redirects are not followed: write the address that it leads to"
        elif not 200 <= status < 300 and head:
            words += f": {shown(head)}"
        return Answer(status, words, head, took_s, _wait_s(answer, head))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _stay(answer: httpx.Response) -> None:
    """Forget where a redirect leads: httpx would fail where that is no address."""
    answer.headers.pop("location", None)


def shown(head: bytes) -> str:
    """Return the first bytes of an answer as a line."""
    text = head[:SHOWN_BYTES].decode("utf-8", "replace")
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _read(answer: httpx.Response) -> bytes:
    """The answer's first bytes; what is left unread closes its connection.

    A body that breaks off, or never ends, takes nothing back of what the status says: the message
    is taken, and would come twice.
    """
    head = bytearray()
    with suppress(httpx.HTTPError):
        for chunk in answer.iter_raw():
            head += chunk
            if len(head) >= MOST_ANSWER_BYTES:
                break
    return bytes(head[:MOST_ANSWER_BYTES])


def _said(error: Exception) -> str:
    """What went wrong, without the address: a part of it may be a secret."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    words = " ".join(str(cause or error).split())
    return words or type(error).__name__


def _wait_s(answer: httpx.Response, head: bytes) -> float | None:
    """``Retry-After`` in seconds or as a date, or what Telegram and Discord say in JSON."""
    said = answer.headers.get("retry-after", "").strip()
    if said:
        try:
            wait_s = float(said) if said.isdigit() else _until(said)
        except ValueError:
            return None
        return min(max(wait_s, 0.0), LONGEST_WAIT_S)
    if answer.status_code != 429:
        return None
    try:
        keys = json.loads(head)
        found = keys.get("retry_after") or keys["parameters"]["retry_after"]
        return min(max(float(found), 0.0), LONGEST_WAIT_S)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()
