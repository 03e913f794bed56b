"""Access to the dashboard: passwords, sessions, tokens, and the rules for browsers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard.access.accounts import Access
    from dashboard.access.store import AccessError

__all__ = ["Access", "AccessError"]

_LAZY = {  # the command line is put together without them
    "Access": "dashboard.access.accounts",
    "AccessError": "dashboard.access.store",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'dashboard.access' has no attribute {name!r}")
