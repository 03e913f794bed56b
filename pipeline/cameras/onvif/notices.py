"""Notifications of a camera, as plain texts (ONVIF Core Specification, 9.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from pipeline.cameras.onvif import soap

MOST = 256  # of one answer
_MOST_ITEMS = 64


@dataclass(frozen=True, slots=True)
class Notice:
    """One message of a camera.

    Attributes:
        topic: path of its topic without prefixes, as ``RuleEngine/CellMotionDetector/Motion``.
        source: what it is about, by name.
        data: what it says, by name.
        operation: of a state that lasts ``Initialized``, ``Changed`` or ``Deleted``; else empty.
        at: when, by the camera's clock; None where it does not say.
    """

    topic: str
    source: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    operation: str = ""
    at: datetime | None = None


def notices_of(answer: Element) -> list[Notice]:
    """Return the messages in an answer to PullMessages, at most ``MOST``, in order."""
    found: list[Notice] = []
    for holder in answer.iterfind(".//{*}NotificationMessage"):
        topic = "/".join(
            part.strip().rpartition(":")[2] for part in soap.text(holder, "{*}Topic").split("/")
        )[: soap.MAX_WORDS]
        # Newer specifications allow several messages of a topic in one holder.
        for message in holder.iterfind("{*}Message/{*}Message"):
            if len(found) == MOST:
                return found
            found.append(
                Notice(
                    topic=topic,
                    source=dict(_items(message, "Source")) | dict(_items(message, "Key")),
                    data=dict(_items(message, "Data")),
                    operation=soap.shown(message.get("PropertyOperation", ""), 20),
                    at=_moment(message.get("UtcTime", "")),
                )
            )
    return found


def _items(message: Element, part: str) -> Iterator[tuple[str, str]]:
    for item in list(message.iterfind(f"{{*}}{part}/{{*}}SimpleItem"))[:_MOST_ITEMS]:
        yield soap.shown(item.get("Name", ""), 100), soap.shown(item.get("Value", ""))


def _moment(text: str) -> datetime | None:
    """Return an xs:dateTime; one without a zone is UTC, as the attribute's name says."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
