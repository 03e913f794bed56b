"""``/api/v1/sources``: what a camera's address may be."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from dashboard.access.rights import Viewer
from dashboard.api.shapes import Shape
from pipeline.config import source_kinds
from pipeline.config.source_kinds import AddressKind, kinds

router = APIRouter(prefix="/api/v1", tags=["cameras"])

_FACTS = ("title", "start", "example", "hint", "plain", "endings", "models")


class Endpoint(Shape):
    """The endpoint of a scheme on the network."""

    port: int | None = Field(description="that an address need not name")
    protocol: Literal["tcp", "tls", "udp"]
    transports: list[Literal["tcp", "udp"]] = Field(
        description="how media may travel, where a camera's `transport` chooses"
    )
    has_login: bool = Field(
        True, description="user and password may stand in front of the host; told where false"
    )


def _endpoint(end: source_kinds.Endpoint) -> dict[str, Any]:
    shape = {"port": end.port, "protocol": end.protocol, "transports": list(end.transports)}
    return shape if end.has_login else shape | {"has_login": False}


def _shape(kind: AddressKind) -> dict[str, Any]:
    schemes = {scheme: _endpoint(end) if end else None for scheme, end in kind.schemes.items()}
    return {name: getattr(kind, name) for name in _FACTS} | {"schemes": schemes}


class SourceKind(Shape):
    """A kind of source that a camera's address may name."""

    model_config = ConfigDict(json_schema_extra={"examples": [_shape(next(kinds()))]})

    title: str
    start: str = Field(description="what an address begins with")
    example: str
    hint: str = Field(description="what it is, in words")
    plain: str | None = Field(
        None,
        description="a path that begins so is of this kind without a scheme; empty: any other path",
    )
    endings: list[str] = Field(
        description="a path that ends so is of this kind without its scheme's prefix, as in "
        "`http://…/a.mp4` for `file+http`"
    )
    schemes: dict[str, Endpoint | None] = Field(
        description="where each is reached; null: on the worker's machine"
    )
    models: list[str] = Field(description="made for what it shows")


@router.get(
    "/sources",
    summary="Kinds of source",
    response_model=list[SourceKind],
    response_model_exclude_unset=True,
)
async def list_sources(_who: Viewer) -> list[dict[str, Any]]:
    """Return what a camera's address may be, as the form of a camera offers it."""
    return [_shape(kind) for kind in kinds()]
