"""Requests over HTTP that end, by httpx, whose client may be used by several threads."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from engines.runtimes.remote import Remote, TransientError

_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_MOST_WORDS = 300  # of a server's own message


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with status 200."""

    headers: Mapping[str, str]
    body: bytearray


class Http:
    """The connections to one server, kept open between requests.

    TLS certificates are verified, against those of ``SSL_CERT_FILE`` where it is set.
    """

    def __init__(self, remote: Remote) -> None:
        try:
            import httpx
        except ImportError as error:
            raise ImportError('httpx is missing; pip install "mirante[remote]"') from error
        self._httpx: Any = httpx
        self._remote = remote
        # Compressing an answer of floats takes a server longer than sending it.
        self._client = httpx.Client(
            base_url=str(remote.address),
            auth=remote.address.credentials,
            headers={"Accept-Encoding": "identity"},
        )
        weakref.finalize(self, self._client.close)

    def get(self, path: str) -> Any:
        """The JSON at a path below the server's address."""
        answer = self.send("GET", path, b"", {})
        return self.parse(answer.body)

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One request, repeated as the manifest's ``server`` allows.

        Raises:
            RemoteError: it failed, or was answered with another status than 200.
        """
        return self._remote.ask(lambda within_s: self._once(method, path, body, headers, within_s))

    def parse(self, body: bytes | bytearray) -> Any:
        """JSON; servers of TensorFlow write NaN in it.

        Raises:
            RemoteError: it is none.
        """
        try:
            return json.loads(body)
        except ValueError as error:
            raise self._remote.refuse(f"answered what is no JSON: {error}") from None

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], within_s: float
    ) -> Answer:
        httpx = self._httpx
        deadline = time.monotonic() + within_s
        try:
            with self._client.stream(
                method, path, content=body, headers=headers, timeout=within_s
            ) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if time.monotonic() > deadline:  # httpx's time-out is of each read
                        raise TransientError(f"no whole answer within {within_s:.1f} s")
        except httpx.TimeoutException:
            raise TransientError(f"no answer within {within_s:.1f} s") from None
        except httpx.RequestError as error:
            raise TransientError(str(error) or type(error).__name__) from None
        status = response.status_code
        if status == HTTPStatus.OK:
            return Answer(response.headers, content)
        said = f"answered {status} {_words(content)}".strip()
        if status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TransientError(said)
        raise self._remote.refuse(said)


def _words(body: bytearray) -> str:
    """The server's own message: the key ``error`` of both protocols, or the text."""
    text = body.decode(errors="replace")
    with suppress(ValueError, TypeError, KeyError):
        text = str(json.loads(text)["error"])
    return " ".join(text.split())[:_MOST_WORDS]
