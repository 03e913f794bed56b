"""Cameras of the network that speak ONVIF, and the addresses of their streams."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, HTTPException
from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from dashboard.access.rights import Admin
from dashboard.api.bodies import JsonBody, JsonRoute, with_integers
from dashboard.api.shapes import refusals
from dashboard.onvif.device import Streams, streams
from dashboard.onvif.discovery import Answer, Found, Network, probe
from dashboard.onvif.profile import for_analysis, for_view
from pipeline.cameras.onvif.soap import Login
from pipeline.config.camera import CameraOptions

AT_ONCE = 16

router = APIRouter(prefix="/api/v1", tags=["discovery"], route_class=JsonRoute)


_SIDES = CameraOptions()
Side = Annotated[int, Field(ge=1, le=65_535), BeforeValidator(with_integers)]


class Question(JsonBody):
    """The login to use, and the analysis that streams are for. A digest of the password goes to
    every camera that answers; nothing is kept.
    """

    user: str | None = Field(None, min_length=1, max_length=64, examples=["viewer"])
    password: SecretStr | None = Field(None, max_length=1024)
    width: Side = Field(_SIDES.width, description="maximum width of the analysed frame")
    height: Side = Field(_SIDES.height, description="maximum height of the analysed frame")

    def login(self) -> Login | None:
        """Return the login for cameras, or None.

        Raises:
            HTTPException: one of both is missing. Not a validator: its answer would say the other.
        """
        if self.user is None and self.password is None:
            return None
        if self.user is None or self.password is None:
            raise HTTPException(422, "expected user and password, or neither")
        return Login(self.user, self.password.get_secret_value())


class DiscoveredStream(BaseModel):
    """A stream that a camera offers, as its profile describes it."""

    url: str = Field(description="RTSP address, without credentials")
    name: str = Field(description="the camera's own name for it, or empty", examples=["mainStream"])
    size: tuple[int, int] | None = Field(description="width, height; null: the camera does not say")
    fps: float | None = Field(description="maximum frames a second; null: not said")
    codec: str = Field(description="empty: not said", examples=["H.264"])
    best_for: Literal["analysis", "view"] | None = Field(
        description="analysis: the smallest that need not be enlarged, to be taken as `url`; view: "
        "the largest, to be shown, as `view`"
    )


class DiscoveredCamera(BaseModel):
    """A camera that answered."""

    name: str = Field(examples=["Gate"])
    address: str = Field(examples=["192.0.2.10"])
    model: str = Field(examples=["P1455-LE"])
    location: str = Field(examples=["yard"])
    streams: list[str] = Field(
        description="RTSP addresses, without credentials", examples=[["rtsp://192.0.2.10/main"]]
    )
    profiles: list[DiscoveredStream] = Field(description="the same streams, with what is known")
    words: str = Field(description="why there are no more streams, or empty", examples=[""])


class Discovered(BaseModel):
    """The cameras that answered a probe."""

    cameras: list[DiscoveredCamera]
    words: str = Field(examples=["1 camera answered"])


def network() -> Network:
    """A network to probe for cameras."""
    return Network()


@router.post("/discovery", summary="Search for cameras", responses=refusals(403, 422))
async def discover(
    _admin: Admin,
    where: Annotated[Network, Depends(network)],
    asked: Annotated[Question | None, Body()] = None,
) -> Discovered:
    """Asks the network for ONVIF cameras: a few seconds."""
    asked = asked or Question()
    login = asked.login()
    try:
        found = await probe(where)
    except OSError as error:
        return Discovered(cameras=[], words=f"the network cannot be asked: {error}")
    at_once = asyncio.Semaphore(AT_ONCE)

    async def ask(camera: Answer) -> DiscoveredCamera:
        async with at_once:
            return _described(camera, await streams(camera, login), asked)

    cameras = await asyncio.gather(*map(ask, found.cameras.values()))
    return Discovered(
        cameras=sorted(cameras, key=lambda each: (each.name, each.address)),
        words=in_words(found, where.wait_s),
    )


def _described(camera: Answer, offered: Streams, asked: Question) -> DiscoveredCamera:
    analysed = for_analysis(offered.profiles, asked.width, asked.height)
    shown = for_view(offered.profiles, analysed)
    return DiscoveredCamera(
        name=camera.name or camera.model or camera.address,
        address=camera.address,
        model=camera.model,
        location=camera.location,
        streams=list(offered.urls),
        profiles=[
            DiscoveredStream(
                url=each.url,
                name=each.name,
                size=each.size,
                fps=each.fps,
                codec=each.codec,
                best_for="analysis" if each is analysed else "view" if each is shown else None,
            )
            for each in offered.profiles
        ],
        words=offered.words,
    )


def in_words(found: Found, wait_s: float) -> str:
    """Return the result of a probe in words."""
    cameras = len(found.cameras)
    said = [f"{cameras} camera{'s' * (cameras != 1)} answered"]
    if not cameras:
        said = [
            f"nothing answered within {wait_s:g} s; cameras answer only on the same network "
            "segment, with ONVIF switched on, and a container needs host networking"
        ]
    if found.malformed:
        said.append(f"answers that could not be read: {found.malformed}")
    if found.foreign:
        said.append(f"answers left out as they name another machine's address: {found.foreign}")
    return "; ".join(said)
