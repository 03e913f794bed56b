"""What the API answers, and its moments in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Facts = dict[str, Any]


def utc(unix_s: float) -> str:
    """Return Unix seconds as ``2026-11-29T20:42:00Z``."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
