"""A dashboard with tokens of each role, and calls of tools by the SDK's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcp import Client

from tests.support.api_server import Bench, serving
from tests.support.redis_child import RedisChild
from tests.support.tokens import hashed

ROLES = ("admin", "operator", "viewer")
TOKENS = {role: hashed(role, role=role) for role in ROLES}
CHANGES = {"set_zones", "pause_camera", "resume_camera", "wake_camera"}


@contextmanager
def guarded_site(server: RedisChild, folder: Path) -> Iterator[Bench]:
    """A dashboard with a token of each role, a worker that lives, and a camera that runs."""
    with serving(server, folder, tokens=TOKENS) as made:
        made.http.headers["Authorization"] = "Bearer admin"
        made.worker()
        made.until(made.services.sampler.reports)
        body = {"name": "gate", "url": "test://"}
        made.http.post("/api/v1/cameras", json=body).raise_for_status()
        made.status()
        made.until(lambda: made.camera()["state"] == "running")
        yield made


async def facts(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers; its text says the same."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]
    return dict(result.structured_content)


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The words with which a tool refuses."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]
