"""``/api/v1/event-image``: the image of an event, for whoever has a link that a bridge signed."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from dashboard.access.rights import ANYONE
from dashboard.api.events import ENTRY, stored_image
from dashboard.api.shapes import DIGITS, refusals
from dashboard.services import FromApp
from mirante.keys import CAMERA_NAME
from pipeline.control.image_links import PATH, opens

router = APIRouter(tags=["results"])

NO_LINKS = "there are no links to images here: dashboard.link_secret is not set"
NO_LONGER = "this link has expired, or was not made by a bridge of this dashboard"


@router.get(
    PATH,
    summary="The image of an event, by a signed link",
    dependencies=[ANYONE],
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "a JPEG"},
        **refusals(403, 404, 422, 503),
    },
)
def get_linked_image(
    services: FromApp,
    camera: Annotated[str, Query(pattern=CAMERA_NAME, description="its name")],
    entry: Annotated[
        str, Query(pattern=ENTRY, description="of the event", examples=["1763899667123-41"])
    ],
    until: Annotated[
        int, Query(ge=0, le=10**11, description="Unix second at which the link ends"), DIGITS
    ],
    signature: Annotated[str, Query(max_length=64, description="of the three, by the bridge")],
) -> Response:
    """Needs no login: the signature, by `dashboard.link_secret`, shows that a bridge made the link,
    for this image and until then. A link that would last longer than 30 days opens nothing.
    """
    secret = services.settings.link_secret
    if secret is None:
        raise HTTPException(404, NO_LINKS)
    if not opens(secret.get_secret_value(), camera, entry, until, signature, time.time()):
        raise HTTPException(403, NO_LONGER)
    return Response(stored_image(services, camera, entry), media_type="image/jpeg")
