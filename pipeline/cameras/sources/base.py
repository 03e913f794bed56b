"""A source: the launch text of a camera's address and what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.config.camera_url import CameraUrl

DECODE = "decodebin name=decode expose-all-streams=false caps=video/x-raw(ANY)"


@dataclass(frozen=True, slots=True)
class Source:
    """What a camera's address asks for.

    Attributes:
        launch: elements from the source to raw video; the first is named ``source``.
        live: the source goes on for ever, at a pace of its own.
        secrets: properties of ``source`` that are set behind the text's back, since the text is
            shown and logged.
    """

    launch: str
    live: bool = True
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def secrets_of(url: CameraUrl) -> dict[str, str]:
    """Many cameras take user and password in the query, so that is withheld from the text too."""
    secrets = {"user-id": url.username or "", "user-pw": url.password or ""}
    if url.query:
        secrets["location"] = url.bare
    return {name: value for name, value in secrets.items() if value}
