"""The configuration of clips: of which moments a camera keeps its video, and where."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from mirante.events import EventKind
from mirante.home import home
from mirante.where import Where, WhereError
from pipeline.config.form import Shown
from pipeline.config.section import Section

_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"


class Clips(Section):
    """Video from before a moment to after it, of what the camera sends."""

    before_s: Annotated[float, Shown("Seconds before")] = Field(
        5.0, ge=0, le=120, description="seconds before the moment; a clip begins at a key frame"
    )
    after_s: Annotated[float, Shown("Seconds after")] = Field(
        10.0, ge=0, le=600, description="seconds after the moment"
    )
    max_s: Annotated[float, Shown("Maximum seconds")] = Field(
        120.0,
        ge=1,
        le=3600,
        validate_default=True,
        description="maximum seconds of a clip that moments near each other share",
    )
    on: Annotated[list[EventKind], Shown("Events that make a clip", empty="none")] = Field(
        [],
        description="kinds of events that make a clip, as [zone-entered]; empty: only on request",
    )
    where: Annotated[str | None, Shown("Only for events where", empty="all")] = Field(
        None,
        description="filter of these events, such as label = person and zone = gate: a clip is "
        "made only of one that passes; without a filter, of all",
    )
    view: Annotated[bool, Shown("Larger stream")] = Field(
        True, description="clips of the stream that view names, if any; false: of that of url"
    )
    private: Annotated[Literal["re-encode", "refuse"], Shown("With blackout or blur")] = Field(
        "re-encode",
        description="clips of a camera with mask, crop or preview.blur: encoded again with what "
        "these hide, or refused; the camera's own images are never kept then",
    )
    max_mib: Annotated[int, Shown("Memory, MiB")] = Field(
        20, ge=1, le=1024, description="maximum memory in MiB for what came before the moment"
    )

    @field_validator("where")
    @classmethod
    def _filter(cls, where: str | None, info: ValidationInfo) -> str | None:
        if where is None:
            return None
        try:
            Where(where)
        except WhereError as error:
            raise ValueError(str(error).removeprefix("where: ")) from None
        if info.data.get("on") == []:
            raise ValueError("expected kinds of events in on, which it filters; there are none")
        return where

    @field_validator("max_s")
    @classmethod
    def _fits(cls, max_s: float, info: ValidationInfo) -> float:
        least = sum(info.data.get(key, 0.0) for key in ("before_s", "after_s"))
        if least > max_s:
            raise ValueError(f"expected before_s + after_s ({least:g}) or more")
        return max_s


class Bucket(Section):
    """A bucket that speaks S3's protocol."""

    endpoint: str = Field(
        description="its server, https://host[:port]; http:// for one in the same network"
    )
    bucket: str = Field(pattern=_BUCKET, description="name of the bucket")
    prefix: str = Field("", description="what the names of its objects begin with, as mirante/")
    region: str | None = Field(None, description="its region; null asks the server")
    access_key: SecretStr = Field(description="best written ${S3_ACCESS_KEY}")
    secret_key: SecretStr = Field(description="best written ${S3_SECRET_KEY}")

    @field_validator("endpoint")
    @classmethod
    def _address(cls, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError("expected https://host[:port] or http://host[:port]")
        return endpoint

    @field_validator("prefix")
    @classmethod
    def _folder(cls, prefix: str) -> str:
        if prefix and not re.fullmatch(r"([\w.-]+/)+", prefix, re.ASCII):
            raise ValueError("expected a name that ends with a slash, such as mirante/")
        return prefix


class ClipsKept(Section):
    """Where clips are kept, and how much of them."""

    folder: Path | None = Field(
        None, description="of all clips; null: clips in $MIRANTE_HOME or ~/.local/share/mirante"
    )
    max_gib: float = Field(
        10.0, gt=0, le=1_000_000, description="maximum GiB of all; the oldest go first"
    )
    days: float = Field(30.0, gt=0, le=3650, description="days after which a clip goes")
    s3: Bucket | None = Field(
        None,
        description="a bucket that clips are moved to; the folder then holds those on their way",
    )

    @property
    def place(self) -> Path:
        """The folder itself."""
        return self.folder or home("data") / "clips"

    @property
    def max_bytes(self) -> int:
        """The maximum size of all clips."""
        return int(self.max_gib * 2**30)
