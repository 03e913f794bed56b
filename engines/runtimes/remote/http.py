"""Requests over HTTP that end."""

from __future__ import annotations

import json
import ssl
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from engines.runtimes.remote.remote import Remote, TransientError

_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_KEPT_S = 30.0  # an idle connection; servers close theirs after a minute or more
_MOST_WORDS = 300  # of a server's own message


@dataclass(frozen=True, slots=True)
class Answer:
    """The body and headers of a reply with status 200; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes


class Http:
    """The connections to one server, kept open between requests.

    By httpcore, on which httpx stands, as it lets its connections be given deadlines. It may be
    used by several threads. TLS certificates are verified, against the system's or those of
    ``SSL_CERT_FILE``. Proxies of the environment are not used.
    """

    def __init__(self, remote: Remote) -> None:
        try:
            import httpcore

            from engines.runtimes.remote.deadline import Deadline, DeadlineBackend
        except ImportError as error:
            raise ImportError('httpcore is missing; pip install "mirante[remote]"') from error
        self._failures = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
        self._remote, self._deadline = remote, Deadline()
        address = remote.address
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context() if address.scheme == "https" else None,
            max_connections=None,
            keepalive_expiry=_KEPT_S,
            network_backend=DeadlineBackend(self._deadline),
        )
        weakref.finalize(self, self._pool.close)
        # Not compressed: to pack an answer of floats takes a server longer than to send it.
        self._headers = {"Host": address.host, "Accept-Encoding": "identity"}
        if address.authorization is not None:
            self._headers["Authorization"] = address.authorization

    def get(self, path: str) -> Any:
        """The JSON at a path below the server's address."""
        return self.parse(self.send("GET", path, b"", {}).body)

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One request, repeated as the manifest's ``server`` allows.

        Raises:
            RemoteError: it failed, or was answered with another status than 200.
        """
        return self._remote.ask(lambda within_s: self._once(method, path, body, headers, within_s))

    def parse(self, body: bytes) -> Any:
        """JSON; servers of TensorFlow write NaN in it.

        Raises:
            RemoteError: it is none.
        """
        try:
            return json.loads(body)
        except ValueError as error:
            raise self._remote.refuse(f"answered with invalid JSON: {error}") from None

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], within_s: float
    ) -> Answer:
        sent = {**self._headers, **headers, "Content-Length": str(len(body))}
        self._deadline.set(within_s)
        try:
            response = self._pool.request(
                method, f"{self._remote.address}{path}", headers=list(sent.items()), content=body
            )
        except self._failures as error:
            if isinstance(error, self._failures[0]):
                raise TransientError(f"no complete answer within {within_s:.1f} s") from None
            raise TransientError(str(error) or type(error).__name__) from None
        if response.status == HTTPStatus.OK:
            found = {
                key.decode("latin-1").lower(): v.decode("latin-1") for key, v in response.headers
            }
            return Answer(found, response.content)
        said = f"answered {response.status} {_words(response.content)}".strip()
        if response.status in _AGAIN or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TransientError(said)
        raise self._remote.refuse(said)


def _words(body: bytes) -> str:
    """The server's own message: the key ``error`` of both protocols, or the text."""
    text = body.decode(errors="replace")
    with suppress(ValueError, TypeError, KeyError):
        text = str(json.loads(text)["error"])
    return " ".join(text.split())[:_MOST_WORDS]
