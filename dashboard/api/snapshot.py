"""One image of a camera."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from starlette.concurrency import run_in_threadpool

from dashboard.access.rights import Viewer
from dashboard.api.seen import Seen
from dashboard.api.shapes import CameraName, refusals
from dashboard.live.bundle import PictureHead, unpack_picture
from dashboard.services import FromApp
from mirante.keys import key
from mirante.redis_url import RedisUrl

WAIT_S = 5.0

router = APIRouter()


@router.get(
    "/{name}/snapshot.jpg",
    summary="One image of a camera",
    response_class=Response,
    responses={
        200: {
            "content": {"image/jpeg": {}},
            "description": "the next image",
            "headers": {
                "Mirante-Frame": {
                    "description": "`<epoch>-<seq>` of the frame whose results belong to it",
                    "schema": {"type": "string"},
                }
            },
        },
        **refusals(404, 409, 503, 504),
    },
)
async def get_snapshot(name: CameraName, services: FromApp, who: Viewer) -> Response:
    """The next image that its worker makes for people, blurred as it is told, within 5 seconds.
    Nothing is drawn on it.
    """
    seen = Seen(services, who)
    now = seen.describe(await run_in_threadpool(seen.named, name))
    if now["paused"] or now["state"] != "running":
        said = f"{now['state']}: {now['reason']}".removesuffix(": ")
        raise HTTPException(409, f'camera "{name}" gives no images; it is {said}')
    try:
        head, jpeg = await asyncio.wait_for(next_picture(services.url, name), WAIT_S)
    except TimeoutError:
        raise HTTPException(
            504, f'camera "{name}" runs but gave no image within {WAIT_S:g} s'
        ) from None
    headers = {"Cache-Control": "no-store", "Mirante-Frame": f"{head.epoch}-{head.seq}"}
    return Response(jpeg, media_type="image/jpeg", headers=headers)


async def next_picture(url: RedisUrl, camera: str) -> tuple[PictureHead, bytes]:
    """The next JPEG on a camera's channel and what it is of, however long that takes.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    client = url.async_client(WAIT_S + 1)
    try:
        await client.execute_command("PING")
        async with client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(key(camera, "preview"))
            while True:
                message: Any = await channel.get_message(timeout=WAIT_S)
                if message is not None:
                    return unpack_picture(message["data"])
    finally:
        await client.aclose()
