"""Access to the dashboard: passwords, sessions, tokens, and the rules for browsers."""

from dashboard.access.accounts import Access
from dashboard.access.store import AccessError

__all__ = ["Access", "AccessError"]
