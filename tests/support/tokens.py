"""Tokens of the dashboard as its configuration has them."""

from __future__ import annotations

import hashlib
from typing import Any


def hashed(token: str, **rights: Any) -> dict[str, Any]:
    """Return the entry of a token: its hash, and its ``role`` and ``cameras``."""
    return {"sha256": hashlib.sha256(token.encode()).hexdigest(), **rights}
