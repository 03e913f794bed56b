"""Who may look and who may change: passwords, sessions, tokens, and what a browser may do."""

from dashboard.access.accounts import Access
from dashboard.access.store import AccessError

__all__ = ["Access", "AccessError"]
