"""The application: routes, what becomes of errors, and the tasks that follow Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import redis
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from dashboard.access import Access
from dashboard.access.guard import Guard
from dashboard.access.rights import ANYONE, check_declared
from dashboard.api import (
    audit,
    bridges,
    cameras,
    clips,
    discovery,
    events,
    health,
    linked_image,
    live,
    models,
    reasons,
    results,
    session,
    sources,
    stages,
    streams,
    system,
)
from dashboard.api.document import Documented
from dashboard.api.methods import Methods
from dashboard.api.refusals import lines_of
from dashboard.audit.log import AuditLog
from dashboard.audit.middleware import LEFT, Audited
from dashboard.ending import end
from dashboard.history.sampler import Sampler
from dashboard.live.hub import Hub
from dashboard.live.page import STATIC
from dashboard.services import Services
from mirante.redis_url import RedisUrl
from pipeline.config.camera_url import redact
from pipeline.config.clips import ClipsKept
from pipeline.config.dashboard import Dashboard
from pipeline.config.messages import ConfigError, ConflictError
from pipeline.control.audit import FILE
from pipeline.control.changing import RegistryError
from pipeline.control.clip_place import place_of
from pipeline.control.clip_store import ClipStoreError
from pipeline.control.credentials import Credentials, CredentialsError, NoFleetKeyError
from pipeline.control.registry import UnknownCameraError
from pipeline.control.rpc import NoAnswerError

DOCUMENT, FILES = "/api/v1/openapi.json", "/static"
ROUTERS = (
    cameras,
    streams,
    clips,
    sources,
    results,
    events,
    linked_image,
    models,
    stages,
    reasons,
    system,
    bridges,
    audit,
    discovery,
    session,
    health,
    live,
)
# What FastAPI works out about each route is kept here, for every application that is made.
_API = APIRouter(generate_unique_id_function=lambda route: route.name)
for _module in ROUTERS:
    _API.include_router(_module.router)


def make_services(
    address: str,
    settings: Dashboard,
    access: Access,
    credentials: Credentials | None = None,
    clips: ClipsKept | None = None,
) -> Services:
    """Make everything that the routes share, not yet started.

    Args:
        address: of Redis, with its secrets.
        settings: those of the dashboard.
        access: who may view.
        credentials: where passwords of cameras are kept; the user's own file by default.
        clips: where clips are kept; the user's own folder by default.
    """
    url = RedisUrl(address)
    sampler = Sampler(url)
    hub = Hub(url, sampler)
    place = place_of(clips or ClipsKept())
    return Services(address, settings, access, sampler, hub, credentials or Credentials(), place)


def make_app(services: Services) -> FastAPI:
    """The application; its tasks run from its start to its end."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(part.run()) for part in (services.sampler, services.hub)]
        yield
        await end(tasks)
        await run_in_threadpool(audit_log.close)
        await services.aredis.aclose()
        services.redis.close()

    folder = services.access.store.path.parent
    audit_log = AuditLog(folder / FILE, lambda: services.redis, services.url.explain)
    app = Documented(
        title="Mirante",
        summary="Cameras, their results and their state.",
        version=version("mirante"),
        openapi_url=DOCUMENT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = services
    app.router.routes.extend(_API.routes)
    _add_pages(app)
    _add_errors(app)
    check_declared(app.routes, frozenset({DOCUMENT, FILES}))
    app.add_middleware(Methods, documented=app)
    app.add_middleware(Guard, access=services.access)
    app.add_middleware(Audited, access=services.access, log=audit_log)
    return app


class _Files(StaticFiles):
    """Files that browsers ask about each time, but for those whose names say their version."""

    def file_response(self, full_path: Any, *args: Any, **more: Any) -> Response:
        response = super().file_response(full_path, *args, **more)
        kept = "max-age=31536000, immutable" if "vendor" in Path(full_path).parts else "no-cache"
        response.headers["Cache-Control"] = kept
        return response


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False, dependencies=[ANYONE])
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    app.mount(FILES, _Files(directory=STATIC), name="static")


def _answer_nobody(_request: Request, _error: Exception) -> Response:
    """Answer a client that has disconnected: only the audit log reads the status."""
    return JSONResponse({"detail": "who asked has left"}, LEFT)


def _add_errors(app: FastAPI) -> None:
    """Answer errors behind a route with a status and words."""
    app.add_exception_handler(ClientDisconnect, _answer_nobody)

    def answer(status: int, detail: object) -> JSONResponse:
        return JSONResponse({"detail": detail}, status)

    @app.exception_handler(redis.RedisError)
    def _redis(request: Request, error: Exception) -> JSONResponse:
        services: Services = request.app.state.services
        return answer(503, services.url.explain(error))

    @app.exception_handler(NoFleetKeyError)
    @app.exception_handler(RegistryError)
    def _registry(_request: Request, error: Exception) -> JSONResponse:
        return answer(409, redact(str(error)))

    @app.exception_handler(UnknownCameraError)
    def _unknown(_request: Request, _error: Exception) -> JSONResponse:
        return answer(404, "the camera was removed meanwhile")  # not in words that name others

    @app.exception_handler(RequestValidationError)
    def _request(_request: Request, error: Exception) -> JSONResponse:
        return answer(422, lines_of(error))

    @app.exception_handler(ConflictError)
    def _conflict(_request: Request, error: Exception) -> JSONResponse:
        return answer(409, list(getattr(error, "lines", (str(error),))))

    @app.exception_handler(ConfigError)
    def _config(_request: Request, error: Exception) -> JSONResponse:
        return answer(422, list(getattr(error, "lines", (str(error),))))

    @app.exception_handler(NoAnswerError)
    def _no_answer(_request: Request, error: Exception) -> JSONResponse:
        return answer(504, str(error))

    @app.exception_handler(ClipStoreError)
    @app.exception_handler(CredentialsError)
    def _files(_request: Request, error: Exception) -> JSONResponse:
        return answer(507 if getattr(error, "is_full", True) else 503, str(error))
