"""The beginning of each connection to Redis: who answers, and whether it is recent enough."""

from __future__ import annotations

from typing import Any, Literal

import redis

MINIMUM = (6, 2)  # XAUTOCLAIM, XADD MINID, ZADD GT; Valkey began as 7.2

# Nothing about the library is told: servers that know CLIENT SETINFO would log it as forbidden.
UNNAMED: dict[str, Any] = (
    {"driver_info": None}
    if hasattr(redis, "DriverInfo")
    else {"lib_name": None, "lib_version": None}
)


Mode = Literal["standalone", "cluster", "sentinel"]
_OTHERS: dict[str, str] = {
    "cluster": "is a node of a cluster, whose address begins redis+cluster://",
    "sentinel": "is a Sentinel, whose address is redis+sentinel://host:port/SERVICE",
}


class UnfitError(redis.ConnectionError):
    """The server is not one to work with, whenever it is asked; says why in words."""


class OldServerError(UnfitError):
    """The server is older than ``MINIMUM``; says so in words."""


class OtherModeError(UnfitError):
    """The server is of another mode than its address says; says so in words."""


class ReplicaError(redis.ConnectionError):
    """The server is no longer the primary."""


class HungUpError(redis.ConnectionError):
    """What listens there closed the connection before its first answer."""


def greet(connection: Any, mode: Mode = "standalone", is_primary: bool = False) -> None:
    """Log in on a new connection and look at the server's version, and what it is.

    ``HELLO`` is allowed to every user, whatever its access list.

    Args:
        connection: a new one of redis-py.
        mode: the server's, as its address says.
        is_primary: it was named as the primary, and must be.

    Raises:
        UnfitError: the server is too old, or of another mode.
        ReplicaError: it is a replica.
        HungUpError: it went away meanwhile.
        redis.RedisError: it does not let this client in.
    """
    try:
        connection.on_connect()
        connection.send_command("HELLO", check_health=False)
        reply = connection.read_response()
    except redis.RedisError as error:
        _tell(error)
        raise
    check(reply, mode, is_primary)


async def greet_async(connection: Any, mode: Mode = "standalone", is_primary: bool = False) -> None:
    """Greet as ``greet`` does, on the event loop."""
    try:
        await connection.on_connect()
        await connection.send_command("HELLO", check_health=False)
        reply = await connection.read_response()
    except redis.RedisError as error:
        _tell(error)
        raise
    check(reply, mode, is_primary)


def check(reply: list[Any], mode: Mode = "standalone", is_primary: bool = False) -> None:
    """Check what ``HELLO`` answered.

    Raises:
        UnfitError: the server is too old, or of another mode.
        ReplicaError: it is a replica.
    """
    facts = dict(zip(reply[::2], reply[1::2], strict=True))
    version = facts.get(b"version", b"").decode()
    if is_old(version):
        raise OldServerError(f"is Redis {version}; {needed()}")
    found = facts.get(b"mode", mode.encode()).decode()
    if found != mode:
        other = f"is no {'Sentinel' if mode == 'sentinel' else 'node of a cluster'}"
        raise OtherModeError(_OTHERS.get(found, f"{other}: its address begins redis://"))
    if is_primary and facts.get(b"role", b"master") != b"master":
        raise ReplicaError("is a replica by now")


def is_old(version: str) -> bool:
    """Return whether a version, such as ``6.0.16``, is below ``MINIMUM``; False for no number."""
    numbers = version.split(".")[:2]
    return all(map(str.isdecimal, numbers)) and tuple(map(int, numbers)) < MINIMUM


def needed() -> str:
    """Return the words for what is needed instead."""
    return f"Mirante needs Redis {'.'.join(map(str, MINIMUM))} or later, or Valkey"


def _tell(error: redis.RedisError) -> None:
    """Raise what an error means where it says too little.

    A login that is refused is left as it is, and so is why a server takes no other client.
    """
    if "unknown command" in str(error):
        words = f"is older than Redis 6.0, or has no command HELLO; {needed()}"
        raise OldServerError(words) from error
    if type(error) in {redis.ConnectionError, redis.exceptions.InvalidResponse}:
        raise HungUpError(str(error)) from error
