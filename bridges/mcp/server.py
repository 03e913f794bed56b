"""The server: its tools, over standard input and output or streamable HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version
from inspect import getdoc
from typing import Any

import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

from bridges.mcp.api import Api
from bridges.mcp.changes import Changes
from bridges.mcp.looks import Looks

log = logging.getLogger(__name__)

_ABOUT = """Mirante watches camera streams and finds objects in them. Begin with list_cameras; \
explain_camera says why a camera gives no or few results. Times are UTC, boxes are left, top, \
width, height in pixels of the source, zones are in 0..1 of the image."""
_READ_ONLY = " Nothing can be changed here: mirante mcp --allow-changes offers that."
_LOOKS = (
    *("list_cameras", "test_camera", "newest_results", "count_over_time", "list_events"),
    *("event_image", "explain_camera", "propose_zone", "list_zones", "preview_zones"),
)
_CHANGES = ("set_zones", "pause_camera", "resume_camera", "wake_camera")


def make_server(
    api: Api, *, allow_changes: bool, verifier: ApiTokens | None = None
) -> MCPServer[None]:
    """Return the server of a dashboard's API.

    Args:
        api: of the dashboard.
        allow_changes: also offer tools that change something.
        verifier: knows the tokens of requests; None over standard input and output.
    """
    url = AnyHttpUrl(api.url)
    auth = AuthSettings(issuer_url=url, resource_server_url=None) if verifier else None
    server = MCPServer[None](
        "mirante",
        title="Mirante",
        instructions=_ABOUT + ("" if allow_changes else _READ_ONLY),
        version=version("mirante"),
        auth=auth,
        token_verifier=verifier,
        log_level="WARNING",
    )
    looks, changes = Looks(api), Changes(api)
    for name in _LOOKS:
        _add(server, getattr(looks, name), ToolAnnotations(read_only_hint=True))
    for name in _CHANGES if allow_changes else ():
        removes = name == "set_zones"
        hints = ToolAnnotations(read_only_hint=False, destructive_hint=removes)
        _add(server, getattr(changes, name), hints)
    return server


def _add(server: MCPServer[None], tool: Callable[..., Any], hints: ToolAnnotations) -> None:
    server.add_tool(tool, description=getdoc(tool), annotations=hints)


def serve_stdio(url: str, token: str | None, *, allow_changes: bool) -> None:
    """Serve one client over standard input and output, until it closes them."""
    make_server(Api(url, lambda: token), allow_changes=allow_changes).run("stdio")


def serve_http(url: str, host: str, port: int, *, allow_changes: bool) -> None:
    """Serve clients over streamable HTTP at ``/mcp``, until it is stopped."""
    app = http_app(url, host, allow_changes=allow_changes)
    uvicorn.run(app, host=host, port=port, log_level="warning")


def http_app(url: str, host: str, *, allow_changes: bool) -> Starlette:
    """Return the application for HTTP: each request has the rights of its own token.

    Args:
        url: of the dashboard.
        host: on which it will listen.
        allow_changes: also offer tools that change something.
    """
    server = make_server(
        Api(url, _token_of_request), allow_changes=allow_changes, verifier=ApiTokens(url)
    )
    # A page that rebinds its name to this machine has no token, and what ends TLS in front of this
    # may hand on the name by which it was asked.
    any_host = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    return server.streamable_http_app(
        host=host, stateless_http=True, json_response=True, transport_security=any_host
    )


class ApiTokens(TokenVerifier):
    """Knows the tokens of a dashboard.

    Args:
        url: of the dashboard.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose token it is; None for one that the dashboard refuses, or while it is away.
        A dashboard that asks nobody for a login has no tokens, and lets nobody in here.
        """
        try:
            session = await Api(self._url, lambda: token).get("session")
        except ToolError as error:
            log.warning("%s", error)
            return None
        if session["how"] != "token":
            return None
        return AccessToken(token=token, client_id=session["user"], scopes=session["may"])


def _token_of_request() -> str | None:
    known = get_access_token()
    return None if known is None else known.token
