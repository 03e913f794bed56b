"""Answers to HTTP authentication: Basic (RFC 7617) and Digest (RFC 7616, before it RFC 2617)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping

_CHALLENGE = re.compile(
    r"(?P<scheme>Basic|Digest)\s+(?P<fields>(?:[\w-]+\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s,]+)[\s,]*)*)",
    re.IGNORECASE,
)
_FIELD = re.compile(r"([\w-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,]+))")
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_STRENGTH = ["", *_HASHES]  # Basic is the weakest


class Login:
    """A user and password, and what the server last asked them with.

    Args:
        user: the user's name; "" for none.
        password: "" for none.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._fields: Mapping[str, str] | None = None  # of the challenge; without a nonce: Basic
        self._count = 0

    def challenged(self, headers: Iterable[str], *, plain: bool = True) -> bool:
        """Take the strongest challenge of a 401 answer.

        Args:
            headers: the values of its ``WWW-Authenticate`` fields.
            plain: the password may be sent as it is, as Basic does.

        Returns:
            Whether it can be answered: there is a user, and the challenge is understood.
        """
        found = [fields for text in headers for fields in _challenges(text)]
        strengths = _STRENGTH if plain else _STRENGTH[1:]
        known = [fields for fields in found if _algorithm(fields) in strengths]
        if not known or not (self._user or self._password):
            return False
        self._fields = max(known, key=lambda fields: _STRENGTH.index(_algorithm(fields)))
        self._count = 0
        return True

    def header(self, method: str, target: str) -> str | None:
        """Return the value of ``Authorization`` for one request; None before any challenge."""
        if self._fields is None:
            return None
        if "nonce" not in self._fields:
            pair = f"{self._user}:{self._password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        self._count += 1
        return self._digest(self._fields, method, target)

    def _digest(self, asked: Mapping[str, str], method: str, target: str) -> str:
        def hashed(*parts: str) -> str:
            return hashlib.new(_HASHES[_algorithm(asked)], ":".join(parts).encode()).hexdigest()

        nonce, client, count = asked["nonce"], secrets.token_hex(8), f"{self._count:08x}"
        secret = hashed(self._user, asked.get("realm", ""), self._password)
        if asked.get("algorithm", "").lower().endswith("-sess"):
            secret = hashed(secret, nonce, client)
        told = {"username": self._user, "realm": asked.get("realm", ""), "nonce": nonce}
        told |= {"uri": target}
        bare = {name: asked[name] for name in ("algorithm",) if name in asked}
        request = hashed(method, target)
        if "auth" in re.split(r"[\s,]+", asked.get("qop", "")):
            told |= {"cnonce": client}
            bare |= {"qop": "auth", "nc": count}
            told["response"] = hashed(secret, nonce, count, client, "auth", request)
        else:
            told["response"] = hashed(secret, nonce, request)
        told |= {name: asked[name] for name in ("opaque",) if name in asked}
        quoted = [f'{name}="{_escaped(value)}"' for name, value in told.items()]
        return "Digest " + ", ".join(
            [*quoted, *(f"{name}={value}" for name, value in bare.items())]
        )


def _challenges(text: str) -> list[dict[str, str]]:
    """Return the fields of each challenge in a header; those of Basic have no nonce."""
    found = []
    for match in _CHALLENGE.finditer(text):
        fields = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
            for name, quoted, plain in _FIELD.findall(match["fields"])
        }
        if (match["scheme"].lower() == "digest") == ("nonce" in fields):
            found.append(fields)
    return found


def _algorithm(fields: Mapping[str, str]) -> str:
    if "nonce" not in fields:
        return ""
    return fields.get("algorithm", "MD5").upper().removesuffix("-SESS")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
