"""``/api/v1/live``: the WebSocket of a page."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from dashboard.access.rights import Viewer
from dashboard.services import FromApp

router = APIRouter()


@router.websocket("/api/v1/live")
async def live(socket: WebSocket, services: FromApp, who: Viewer) -> None:
    """Frames of the cameras that the page asks for, and the state of all."""
    await services.hub.serve(socket, who, lambda: services.access.still_valid(who))
