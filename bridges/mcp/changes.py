"""The tools that change something; offered with ``--allow-changes`` alone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bridges.mcp.api import Api, of_camera
from bridges.mcp.facts import Facts
from bridges.mcp.looks import Name


class Changes:
    """The tools that change cameras, as far as the token's role allows.

    Args:
        api: of the dashboard.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    async def set_zones(
        self,
        camera: Name,
        zones: Annotated[Facts, Field(description="all zones by name; others are removed")],
        lines: Annotated[Facts, Field(description="all lines by name; others are removed")],
    ) -> Facts:
        """Replace the zones and lines of a camera, as propose_zone returns them in `rules`. They
        count from the next frame on. Takes a token of an operator.
        """
        body = {"zones": zones, "lines": lines}
        return dict(await self._api.send("PUT", of_camera(camera, "/zones"), body))

    async def pause_camera(self, camera: Name) -> Facts:
        """Stop a camera, also across restarts, until resume_camera. Takes an operator."""
        return await self._post(camera, "pause")

    async def resume_camera(self, camera: Name) -> Facts:
        """Let a paused camera run. Takes an operator."""
        return await self._post(camera, "resume")

    async def wake_camera(
        self,
        camera: Name,
        seconds: Annotated[float, Field(gt=0, description="for how long, from now")] = 10.0,
    ) -> Facts:
        """Let models look at each frame of a quiet camera for a while. Takes an operator."""
        path = of_camera(camera, "/wake")
        return dict(await self._api.send("POST", path, {"seconds": seconds}))

    async def _post(self, camera: str, what: str) -> Facts:
        said = await self._api.send("POST", of_camera(camera, f"/{what}"))
        return {key: said[key] for key in ("name", "paused", "state", "reason")}
