"""CloudEvents 1.0 in HTTP's binary content mode: the event's attributes as headers."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from mirante.events import Event

# Space, double-quote, percent and all that is not printable ASCII are escaped; nothing else is.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def cloud_headers(event: Event) -> dict[str, str]:
    """Return the ``ce-`` headers of an event; ``datacontenttype`` is ``Content-Type`` itself.

    ``source`` and ``id`` together name an event: a receiver that has seen both has seen it.
    """
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/mirante/cameras/{event.camera}",
        "type": f"mirante.{event.kind}",
        "time": rfc3339(event.ts),
        "subject": event.zone or event.line,
    }
    return {f"ce-{name}": header_value(text) for name, text in attributes.items() if text}


def header_value(text: str) -> str:
    """Return an attribute's text percent-encoded as HTTP Protocol Binding 3.1.3.2 says."""
    return quote(text, safe=_PLAIN)


def rfc3339(moment_s: float) -> str:
    """Return Unix seconds as ``2026-11-29T20:42:00.123456Z``."""
    return datetime.fromtimestamp(moment_s, UTC).isoformat().replace("+00:00", "Z")
