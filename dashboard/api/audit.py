"""``/api/v1/audit``: who did what."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from dashboard.access.identity import Identity
from dashboard.access.rights import Admin
from dashboard.access.sight import without_others
from dashboard.api.shapes import DIGITS, Shape, as_said, refusals
from dashboard.services import FromApp
from mirante.keys import AUDIT
from mirante.wire.errors import UNREADABLE
from pipeline.control.audit import Entry

_read_entry = msgspec.json.Decoder(Entry)
MOST_READ = 20_000  # entries that one answer looks through
_EXAMPLE: dict[str, Any] = {
    "id": "1763899667123-0",
    "at": 1763899667.12,
    "who": "anna",
    "how": "session",
    "role": "admin",
    "address": "192.0.2.7",
    "action": "change camera",
    "camera": "gate",
    "detail": "url rtsp://***@192.0.2.10/main; keys fps",
    "result": "ok",
    "code": 200,
}

router = APIRouter(prefix="/api/v1", tags=["system"])


class Told(Entry, frozen=True, kw_only=True):
    """An entry, and its ID in the stream."""

    id: str


class Audit(Shape):
    """Entries of the audit log, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"entries": [_EXAMPLE], "next": "1763899667123-0"}]}
    )

    entries: list[Annotated[dict[str, Any], as_said(Told)]]
    next: str | None = Field(description="`before` of the next page; null where there is none")


@router.get(
    "/audit", summary="Who did what", response_model=Audit, responses=refusals(403, 422, 503)
)
def get_audit(
    services: FromApp,
    who: Admin,
    limit: Annotated[
        int, Field(ge=1, le=1000), DIGITS, Query(description="at most so many entries")
    ] = 100,
    before: Annotated[
        str | None,
        Query(pattern=r"^\d{1,15}-\d{1,15}$", description="the ID of an entry: older ones alone"),
    ] = None,
) -> dict[str, Any]:
    """Of the newest entries, which Redis keeps; the file beside ``credentials.json`` has all. Whose
    rights reach some cameras sees what was done to those, and no logins.
    """
    found: list[dict[str, Any]] = []
    last = before
    for _ in range(MOST_READ // 1000):
        behind = f"({last}" if last else "+"
        read: Any = services.redis.xrevrange(AUDIT, behind, count=1000)
        for identity, fields in read:
            last = identity.decode()
            if entry := _shown(fields.get(b"json", b""), who):
                found.append({"id": last, **entry})
            if len(found) == limit:
                return {"entries": found, "next": last}
        if len(read) < 1000:
            last = None
            break
    return {"entries": found, "next": last}


def _shown(text: bytes, who: Identity) -> dict[str, Any] | None:
    """An entry as somebody may see it; None where they may not, and for what is none."""
    try:
        entry = _read_entry.decode(text)
    except UNREADABLE:
        return None
    if not who.sees_all and not (entry.camera and who.sees(entry.camera)):
        return None
    told: dict[str, Any] = msgspec.to_builtins(entry)
    if entry.code == 404 and not who.sees_all:
        told.pop("words", None)  # they name the cameras that there are for whoever did it
    return without_others(who, told)
