"""The beginning of each connection to Redis: who answers, and whether it is recent enough."""

from __future__ import annotations

from typing import Any

import redis

MINIMUM = (6, 2)  # XAUTOCLAIM, XADD MINID, ZADD GT; Valkey began as 7.2

# Nothing about the library is told: servers that know CLIENT SETINFO would log it as forbidden.
UNNAMED: dict[str, Any] = (
    {"driver_info": None}
    if hasattr(redis, "DriverInfo")
    else {"lib_name": None, "lib_version": None}
)


class OldServerError(redis.ConnectionError):
    """The server is older than ``MINIMUM``; says so in words."""


class HungUpError(redis.ConnectionError):
    """What listens there closed the connection before its first answer."""


def greet(connection: Any) -> None:
    """Log in on a new connection and look at the server's version.

    ``HELLO`` is allowed to every user, whatever its access list.

    Raises:
        OldServerError: the server is too old.
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
    check_version(reply)


async def greet_async(connection: Any) -> None:
    """Greet as ``greet`` does, on the event loop."""
    try:
        await connection.on_connect()
        await connection.send_command("HELLO", check_health=False)
        reply = await connection.read_response()
    except redis.RedisError as error:
        _tell(error)
        raise
    check_version(reply)


def check_version(reply: list[Any]) -> None:
    """Check what ``HELLO`` answered.

    Raises:
        OldServerError: the server is too old.
    """
    facts = dict(zip(reply[::2], reply[1::2], strict=True))
    version = facts.get(b"version", b"").decode()
    if is_old(version):
        raise OldServerError(f"is Redis {version}; {needed()}")


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
        words = f"is older than Redis 6.0 (it does not know HELLO); {needed()}"
        raise OldServerError(words) from error
    if type(error) in {redis.ConnectionError, redis.exceptions.InvalidResponse}:
        raise HungUpError(str(error)) from error
