"""The address of a Redis server in the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit


def read_password(path: Path) -> str:
    """Return the first line of a file.

    Raises:
        ValueError: it is not there, may not be read, or holds no text.
    """
    try:
        password = path.read_text(encoding="utf-8").partition("\n")[0].removesuffix("\r")
    except OSError as error:
        raise ValueError(f"expected a file that can be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("expected a file with a password in its first line") from None
    if not password:
        raise ValueError("expected a file with a password in its first line")
    return password


def check_redis_address(text: str) -> None:
    """Check ``redis.url``.

    Raises:
        ValueError: what was expected in its place; without the credentials.
    """
    from mirante.redis_url import PREFIX, SCHEMES, RedisUrl
    from mirante.servers.several import SCHEMES as OF_SEVERAL

    if not text.startswith(tuple(f"{scheme}://" for scheme in OF_SEVERAL)):
        _check_one(text, SCHEMES)
    try:
        RedisUrl(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(PREFIX)) from None


def _check_one(text: str, schemes: Sequence[str]) -> None:
    """Check an address of one server in short words."""
    try:
        split = urlsplit(text)
        _ = split.port
    except ValueError:
        raise ValueError("expected redis://host:port/database") from None
    if split.scheme not in schemes:
        *first, last = (f"{scheme}://" for scheme in schemes)
        raise ValueError(f"expected an address that starts {', '.join(first)} or {last}")
    if not (split.path if split.scheme == "unix" else split.hostname):
        rest = "/path/of/a/socket" if split.scheme == "unix" else "host:port"
        raise ValueError(f"expected {split.scheme}://{rest}")
