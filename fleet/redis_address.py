"""The address of Redis as what places workers may keep it, and as they need it."""

from __future__ import annotations

import socket

from mirante.redis_url import RedisUrl
from pipeline.control.worker_file import of_variables

VARIABLE = "MIRANTE_REDIS_URL"
_HIDDEN = "***@"  # of an address that is shown


def public(url: str) -> str:
    """Return an address without what is secret, which each machine has in its variables."""
    address = RedisUrl(url)
    return str(address) if address.secret else url


def whole(url: str) -> str:
    """Return the address that ``public`` made this of, on a machine of the fleet.

    Raises:
        ValueError: it has a password, and this machine's variables do not name the same Redis.
    """
    if _HIDDEN not in url:
        return url
    own = of_variables()
    if own is None or public(own) != url:
        has = "is not set" if own is None else f"names {public(own)}"
        raise ValueError(
            f"{VARIABLE} {has} on {socket.gethostname()}; expected {url} with its password, set "
            "before ray start, as Ray is told no passwords"
        )
    return own
