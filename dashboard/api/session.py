"""``/api/v1/session``: who is logged in, logging in and out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, Literal, get_args

import anyio.to_thread
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dashboard.access import AccessError
from dashboard.access.attempts import TooOftenError
from dashboard.access.client import client_address
from dashboard.access.guard import COOKIE, SESSION_PATH, asking, no_rights, too_often
from dashboard.access.identity import Identity
from dashboard.access.rights import ANYONE, MAY
from dashboard.api.bodies import JsonRoute
from dashboard.api.shapes import refusals
from dashboard.services import FromApp
from pipeline.config.dashboard import Dashboard, Role

log = logging.getLogger(__name__)

HASHES_AT_ONCE = 2  # each takes 64 MiB and a core for a moment
MOST_NAME, MOST_PASSWORD = 64, 1024
KNOWN_COOKIE, KNOWN_S = "mirante_known", 365 * 86_400


def _place(loc: Sequence[int | str]) -> str:
    return ".".join(map(str, loc[1:])) or str(loc[0])


class _Discreet(JsonRoute):
    """Says what is wrong with a body, and never repeats it: passwords get into wrong keys."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_discreetly(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                lines = [f"{_place(e['loc'])}: {e['msg']}" for e in error.errors()]
                raise HTTPException(422, lines) from None

        return handle_discreetly


router = APIRouter(
    prefix="/api/v1/session", tags=["session"], route_class=_Discreet, dependencies=[ANYONE]
)
_hashing = anyio.CapacityLimiter(HASHES_AT_ONCE)


class Login(BaseModel):
    """Name and password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True)
    user: Annotated[str, Field(min_length=1, max_length=MOST_NAME, examples=["anna"])]
    password: Annotated[SecretStr, Field(max_length=MOST_PASSWORD, examples=["a long password"])]


class Session(BaseModel):
    """The identity behind a request.

    Attributes:
        user: name of the user or token; null where nobody is logged in, or nobody needs to.
        role: what they may do; null where that takes a login.
        may: the roles whose work they may do.
        cameras: names, or patterns of names, of the cameras that exist for them.
        login: whether this dashboard asks for one at all.
        how: they are known; null where nobody is logged in.
        logout_url: where somebody whom a proxy signed in logs out; null where that is not told.
        words: why somebody whom a proxy signed in may do nothing here.
    """

    user: Annotated[str | None, Field(examples=["anna"])]
    role: Annotated[Role | None, Field(examples=["admin"])]
    may: Annotated[list[Role], Field(examples=[["viewer", "operator", "admin"]])] = []
    cameras: Annotated[list[str], Field(examples=[["*"]])] = []
    login: bool
    how: Literal["open", "session", "token", "proxy"] | None = None
    logout_url: str | None = None
    words: str = ""


def _session(identity: Identity, settings: Dashboard, *, login: bool) -> Session:
    header = settings.trusted_header if identity.how == "proxy" else None
    return Session(
        user=identity.name or None,
        role=identity.role,
        may=[role for role in get_args(Role) if role in MAY[identity.role]],
        cameras=list(identity.cameras),
        login=login,
        how=identity.how,
        logout_url=header and header.logout_url,
    )


@router.get("", summary="Who is logged in")
def get_session(request: Request, services: FromApp) -> Session:
    """Needs no login: a page asks it to know whether it does."""
    identity, access = asking(request), services.access
    if identity is None:
        return Session(user=None, role=None, login=True, words=no_rights(request))
    return _session(identity, access.settings, login=not access.is_open())


@router.post("", summary="Log in", responses=refusals(401, 422, 429, 503))
async def log_in(login: Login, request: Request, response: Response, services: FromApp) -> Session:
    """Sets the cookie of a session. Five failures a minute for a name from an address, twenty for
    an address; after ten for a name, strangers wait up to 30 seconds between two.
    """
    access = services.access
    address = client_address(request, access.proxies)
    password = login.password.get_secret_value()
    try:
        known = access.known_by(login.user, address, request.cookies.get(KNOWN_COOKIE, ""))
        access.attempts.begin(address, login.user, known)
        session = await anyio.to_thread.run_sync(
            access.log_in, login.user, password, limiter=_hashing
        )
        identity = access.by_session(session) if session else None
    except TooOftenError as error:
        raise too_often(error) from None
    except AccessError as error:
        log.error("%s", error)
        raise HTTPException(503, "logging in is not possible now; see the log") from None
    if session is None or identity is None:
        raise HTTPException(401, "user or password is wrong")
    access.attempts.succeeded(address, login.user, known)
    browser = access.know(login.user, address)
    response.set_cookie(
        KNOWN_COOKIE,
        browser,
        max_age=KNOWN_S,
        path=SESSION_PATH,
        secure=access.settings.https,
        httponly=True,
        samesite="strict",
    )
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(access.settings.session_h * 3600),
        path="/",
        secure=access.settings.https,
        httponly=True,
        samesite="strict",
    )
    return _session(identity, access.settings, login=True)


@router.delete("", summary="Log out", status_code=204, responses=refusals(401, 503))
def log_out(request: Request, response: Response, services: FromApp) -> None:
    """Ends the session, for every copy of its cookie."""
    identity = asking(request)
    if identity is not None:
        try:
            services.access.log_out(identity)
        except AccessError as error:
            log.error("%s", error)
            raise HTTPException(503, "the session cannot be ended; the log says why") from None
    response.delete_cookie(
        COOKIE, path="/", secure=services.access.settings.https, httponly=True, samesite="strict"
    )
