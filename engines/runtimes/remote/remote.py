"""The base of all model servers: an address without secrets, and retries that end."""

from __future__ import annotations

import os
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from numpy.typing import NDArray

from engines.runtimes import RemoteError, TensorInfo
from engines.runtimes.remote.server import Server
from mirante.backoff import Backoff

T = TypeVar("T")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class TransientError(Exception):
    """An attempt failed in a way that the next one may not."""


class Address:
    """The address of a server, its user and password held apart: ``str`` shows neither.

    Raises:
        ValueError: it names an environment variable that is not set.
    """

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        self.scheme = split.scheme
        self.host = split.netloc.rpartition("@")[2]  # and port
        self.path = split.path.rstrip("/")
        self.authorization: str | None = None  # a header's value
        if split.username is not None:
            pair = f"{_secret(split.username)}:{_secret(split.password or '')}"
            self.authorization = f"Basic {b64encode(pair.encode()).decode()}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def _secret(text: str) -> str:
    """A user or password as it is, ``${VARIABLE}`` replaced by the environment's."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ValueError(f"server.url: the environment variable {match[1]} is not set")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, unquote(text))


class Remote:
    """Asks one server about one model.

    Attributes:
        address: of the server.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.address = Address(server.url)

    def ask(self, attempt: Callable[[float], T]) -> T:
        """The result of ``attempt``, which is tried again after a ``TransientError``.

        Args:
            attempt: called with the seconds left, which it must not take more of.

        Raises:
            RemoteError: naming what failed last, after how many attempts and seconds.
        """
        server, backoff = self._server, Backoff()
        started = time.monotonic()
        deadline = started + server.timeout_s
        for tried in range(1, server.attempts + 1):
            try:
                return attempt(max(1e-3, deadline - time.monotonic()))
            except TransientError as error:
                reason = str(error)
            wait_s = backoff.next_s()
            if tried == server.attempts or time.monotonic() + wait_s >= deadline:
                break
            time.sleep(wait_s)
        count = f"{tried} attempt{'s' if tried > 1 else ''}"
        took_s = time.monotonic() - started
        raise RemoteError(f"{server}: {reason}, after {count} in {took_s:.1f} s")

    def refuse(self, reason: str) -> RemoteError:
        """The error of an answer that another attempt would not change."""
        return RemoteError(f"{self._server}: {reason}")

    def check_answer(
        self, declared: Mapping[str, TensorInfo], got: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """The outputs in the order of ``declared``, if they are as the server said they would be.

        Raises:
            RemoteError: naming the output, what was said and what came.
        """
        for name, info in declared.items():
            if name not in got:
                came = ", ".join(got) or "none"
                raise self.refuse(f"output {name} is missing in the answer, there came {came}")
            array = got[name]
            if array.dtype != info.dtype or not info.fits(array.shape):
                raise self.refuse(
                    f"output {name} came as {array.dtype} {array.shape}, "
                    f"declared is {info.dtype} {info.shape}"
                )
        return {name: got[name] for name in declared}
