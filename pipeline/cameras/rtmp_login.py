"""The login that RTMP servers ask for as ``authmod=adobe``: a challenge in a refusal's words."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from urllib.parse import quote

_FIELD = re.compile(r"[?&](\w+)=([^&\s\]]*)")


class AdobeLogin:
    """A user and password, and what is to stand behind the application to log in with them.

    Args:
        user: the user's name; None for no login.
        password: likewise.

    Attributes:
        query: "" before any challenge.
    """

    def __init__(self, user: str | None, password: str | None) -> None:
        self._user, self._password = user or "", password or ""
        self._steps = 0
        self.query = ""

    def challenged(self, words: str) -> bool:
        """Take the words of a refusal; return whether there is something new to answer them with.

        The first refusal names the way, the second has the challenge, a third is final.
        """
        if not self._user or "authmod=adobe" not in words or self._steps == 2:
            return False
        asked = dict(_FIELD.findall(words))
        who = f"?authmod=adobe&user={quote(self._user, safe='')}"
        if "salt" in asked and asked.get("reason", "needauth") == "needauth":
            self._steps = 2
            self.query = who + self._answer(asked)
            return True
        is_first, self._steps, self.query = self._steps == 0, 1, who
        return is_first

    def _answer(self, asked: dict[str, str]) -> str:
        own, opaque = secrets.token_hex(4), asked.get("opaque", "")
        salted = _hashed(self._user + asked["salt"] + self._password)
        response = _hashed(salted + (opaque or asked.get("challenge", "")) + own)
        answer = f"&challenge={own}&response={response}"
        return f"{answer}&opaque={opaque}" if opaque else answer


def _hashed(text: str) -> str:
    return base64.b64encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode()
