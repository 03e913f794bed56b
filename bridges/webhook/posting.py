"""One try to send a request, and what its answer means."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

import httpx

from bridges.webhook.presets import Request

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

    The network has a thread with a loop of its own, as only there a try can be ended wherever it
    is: blocking reads would begin their time anew with each byte that comes.

    Args:
        timeout_s: for one try, from the look-up of the name to the end of the answer.
        ca: file of certificates to trust; None for the system's.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, timeout_s: float, ca: Path | None = None) -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(cafile=ca),
            timeout=None,  # noqa: S113 # the whole try has one
            follow_redirects=False,
            event_hooks={"response": [_stay]},
            limits=httpx.Limits(max_connections=AT_ONCE + 1),  # and one for a test
            headers={"User-Agent": f"mirante/{version('mirante')}"},
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="post", daemon=True)
        self._thread.start()

    def post(self, request: Request) -> Answer:
        """Send a request once, and return what came of it; raises nothing of the network."""
        return asyncio.run_coroutine_threadsafe(self._post(request), self._loop).result()

    def close(self) -> None:
        """Close the connections; to be called when no request is on its way."""
        asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _post(self, request: Request) -> Answer:
        began_s = time.monotonic()
        end_s = self._loop.time() + self._timeout_s
        try:
            async with asyncio.timeout_at(end_s):
                url, headers, body = request
                made = self._client.build_request("POST", url, headers=headers, content=body)
                answer = await self._client.send(made, stream=True)
        except TimeoutError:
            words = f"no answer within {self._timeout_s:g} s"
            return Answer(None, words, seconds=time.monotonic() - began_s)
        except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError) as error:
            # Made of what HTTP cannot carry: it would fail each time, and hold up what is behind.
            return Answer(None, f"cannot be sent: {_said(error)}", is_ours=True)
        except (httpx.HTTPError, OSError) as error:
            return Answer(None, _said(error), seconds=time.monotonic() - began_s)
        head = await _read(answer, end_s)
        took_s, status = time.monotonic() - began_s, answer.status_code
        words = f"{status} {answer.reason_phrase}".strip()
        if status in _REDIRECT:
            words += "; redirects are not followed: write the address that it leads to"
        elif not 200 <= status < 300 and head:
            words += f": {shown(head)}"
        return Answer(status, words, head, took_s, _wait_s(answer, head))


async def _stay(answer: httpx.Response) -> None:
    """Forget where a redirect leads: httpx would fail where that is no address."""
    answer.headers.pop("location", None)


def shown(head: bytes) -> str:
    """Return the first bytes of an answer as a line."""
    text = head[:SHOWN_BYTES].decode("utf-8", "replace")
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


async def _read(answer: httpx.Response, end_s: float) -> bytes:
    """The answer's first bytes; what is left unread closes its connection.

    A body that breaks off, or never ends, takes nothing back of what the status says: the message
    is taken, and would come twice.
    """
    head = bytearray()
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout_at(end_s):
            async for chunk in answer.aiter_raw():
                head += chunk
                if len(head) >= MOST_ANSWER_BYTES:
                    break
    await answer.aclose()
    return bytes(head[:MOST_ANSWER_BYTES])


def _said(error: BaseException) -> str:
    """What went wrong, without the address: a part of it may be a secret."""
    known = [each for each in _causes(error) if isinstance(each, OSError) and each.errno]
    cause = known[-1] if known else error
    if isinstance(cause, ConnectionError) and cause.errno:
        return os.strerror(cause.errno)
    return " ".join(str(cause).split()) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it: of several addresses of a name, all."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    if (cause := error.__cause__ or error.__context__) is not None:
        yield from _causes(cause)


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
