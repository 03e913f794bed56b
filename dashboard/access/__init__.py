"""Who may look and who may change: passwords, sessions, tokens, and what a browser may do."""

from __future__ import annotations

from pathlib import Path

from dashboard.access.identity import Identity
from pipeline.config.settings import Dashboard


class AccessError(RuntimeError):
    """In words."""


class Access:
    """Who may look."""

    def __init__(self, settings: Dashboard, folder: Path | None = None) -> None:
        self.settings = settings

    def check_binding(self, host: str) -> None:
        """Raises AccessError."""

    def still_valid(self, identity: Identity) -> bool:
        """Whether they may still look."""
        return True
