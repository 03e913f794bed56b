"""The newest image of a camera with the results of that very frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from mcp.server.mcpserver.exceptions import ToolError

from bridges.mcp.api import Api, of_camera
from bridges.mcp.facts import Facts

WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Newest:
    """What a camera sees.

    Attributes:
        message: the ``detections`` message of a frame.
        jpeg: an image; None where there is none.
        no_image: why there is none, or why it is of another frame; empty otherwise.
        is_other_frame: the image is of a frame whose results were not found, or of one unknown.
    """

    message: Facts
    jpeg: bytes | None = None
    no_image: str = ""
    is_other_frame: bool = False


async def newest(api: Api, camera: str, *, image: bool) -> Newest:
    """Return a camera's results, with the image of their frame if it is asked for.

    Raises:
        ToolError: there are no results.
    """
    results = f"results/{quote(camera, safe='')}"
    before: Facts = await api.get(f"{results}/latest")
    if not image:
        return Newest(before)
    try:
        jpeg, frame = await api.image(of_camera(camera, "/snapshot.jpg"))
    except ToolError as error:
        return Newest(before, no_image=str(error))
    if frame == frame_of(before):
        return Newest(before, jpeg)
    if not frame:
        words = "this dashboard does not say which frame its image is of"
        return Newest(before, jpeg, words, is_other_frame=True)
    message, why = None, "were not published"
    try:
        async with asyncio.timeout(WAIT_S), api.messages(f"{results}/stream", before["id"]) as sent:
            message = await _of_frame(sent, frame)
    except TimeoutError:
        pass
    except ToolError as error:  # the image and older results are there all the same
        why = f"cannot be had: {error}"
    if message is None:
        words = f"the image is of frame {frame}, whose results {why}"
        return Newest(before, jpeg, words, is_other_frame=True)
    return Newest(message, jpeg)


def frame_of(message: Facts) -> str:
    """Return which frame a message is of, as ``<epoch>-<seq>``."""
    return f"{message['epoch']}-{message['seq']}"


async def _of_frame(sent: AsyncIterator[Facts], frame: str) -> Facts | None:
    """Return the message of a frame; None once a later one has come."""
    epoch, seq = map(int, frame.split("-"))
    async for message in sent:
        if "seq" not in message:  # a gap
            continue
        if frame_of(message) == frame:
            return message
        if (message["epoch"], message["seq"]) > (epoch, seq):
            return None
    return None
