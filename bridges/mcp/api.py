"""Ask the dashboard's API, and say in words what went wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from ssl import SSLContext
from typing import Any
from urllib.parse import quote

import httpx
from mcp.server.mcpserver.exceptions import ToolError

from bridges.mcp.facts import Facts

TIMEOUT_S = 60.0  # a camera's test takes 30
CONNECT_S = 10.0

Query = Mapping[str, Any]


class Api:
    """A dashboard's API.

    Args:
        url: of the dashboard, without a slash at its end.
        token: gives the token of the call that is made; None for none.
    """

    def __init__(self, url: str, token: Callable[[], str | None]) -> None:
        self.url = url
        self._token = token
        self._tls = _trusted()

    async def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a GET.

        Raises:
            ToolError: there is none, or it is a refusal, in words.
        """
        return _decoded(self.url, await self._ask("GET", path, query=query))

    async def send(self, method: str, path: str, body: Facts | None = None) -> Any:
        """Return the answer to a request with a body.

        Raises:
            ToolError: there is none, or it is a refusal, in words.
        """
        return _decoded(self.url, await self._ask(method, path, body=body))

    async def image(self, path: str) -> tuple[bytes, str]:
        """Return a JPEG, and the frame that it shows as ``<epoch>-<seq>``; empty where unknown.

        Raises:
            ToolError: there is none, or it is a refusal, in words.
        """
        answer = await self._ask("GET", path)
        return answer.content, answer.headers.get("mirante-frame", "")

    @asynccontextmanager
    async def messages(self, path: str, behind: str) -> AsyncIterator[AsyncIterator[Facts]]:
        """Open a stream of server-sent events; iterate over their data.

        Args:
            path: of the stream.
            behind: ID of the entry after which it begins.

        Raises:
            ToolError: it cannot be read.
        """
        headers = {"Last-Event-ID": behind}
        async with self._client() as client:
            try:
                async with client.stream("GET", _path(path), headers=headers) as answer:
                    if answer.is_error:
                        await answer.aread()
                        raise ToolError(_refusal(self.url, answer, self._token() is not None))
                    yield _data(answer)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                raise ToolError(_away(self.url, error)) from None

    async def _ask(
        self, method: str, path: str, *, query: Query | None = None, body: Facts | None = None
    ) -> httpx.Response:
        said = {name: value for name, value in (query or {}).items() if value is not None}
        async with self._client() as client:
            try:
                answer = await client.request(method, _path(path), params=said, json=body)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                raise ToolError(_away(self.url, error)) from None
        if not answer.is_success:
            raise ToolError(_refusal(self.url, answer, self._token() is not None))
        return answer

    def _client(self) -> httpx.AsyncClient:
        token = self._token()
        headers = {} if token is None else {b"Authorization": f"Bearer {token}".encode()}
        timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_S)
        return httpx.AsyncClient(
            base_url=f"{self.url}/api/v1", headers=headers, timeout=timeout, verify=self._tls
        )


@cache
def _trusted() -> SSLContext:
    """Read the certificates once: it takes 50 ms, and over HTTP each request is an ``Api``."""
    return httpx.create_ssl_context()


def of_camera(name: str, path: str = "") -> str:
    """Return the path of a camera's own, with its name quoted."""
    return f"cameras/{quote(name, safe='')}{path}"


def _path(path: str) -> str:
    return f"/{path}"


async def _data(answer: httpx.Response) -> AsyncIterator[Facts]:
    async for line in answer.aiter_lines():
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


def _decoded(url: str, answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise ToolError(
            f"{url} answers, but not as Mirante's dashboard does; check --url"
        ) from None


def _away(url: str, error: Exception) -> str:
    said = str(error) or type(error).__name__
    return (
        f"no answer from {url}: {said}. Start it (“mirante up” or “mirante dashboard”), or name "
        "its address in MIRANTE_URL or --url."
    )


def _refusal(url: str, answer: httpx.Response, has_token: bool) -> str:
    """Return a refusal in the API's own words, each mistake after the other."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return (
            f"{url} answers {answer.status_code}, but not as Mirante's dashboard does; check --url"
        )
    words = "; ".join(map(str, detail)) if isinstance(detail, list) else str(detail)
    if answer.status_code != 401:
        return words
    make = "“mirante dashboard token NAME --role viewer” makes one"
    if has_token:
        return f"{url} refuses the token: {words}; {make}"
    return f"{url} asks for a token, in MIRANTE_TOKEN or --token-file; {make}"
