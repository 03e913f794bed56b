"""What every simulated ONVIF device says and checks: its time, and who asks.

It is written from the specifications and shares no code with what it tests.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta


def time_answer(ahead: timedelta, tt: str = "tt", tds: str = "tds") -> str:
    """Return the body of an answer to GetSystemDateAndTime.

    Args:
        ahead: how far the device's clock is ahead of ours.
        tt: prefix of ONVIF's schema.
        tds: prefix of the device service.
    """
    now = datetime.now(UTC) + ahead
    return (
        f"<{tds}:GetSystemDateAndTimeResponse><{tds}:SystemDateAndTime><{tt}:UTCDateTime>"
        f"<{tt}:Time><{tt}:Hour>{now.hour}</{tt}:Hour><{tt}:Minute>{now.minute}</{tt}:Minute>"
        f"<{tt}:Second>{now.second}</{tt}:Second></{tt}:Time>"
        f"<{tt}:Date><{tt}:Year>{now.year}</{tt}:Year><{tt}:Month>{now.month}</{tt}:Month>"
        f"<{tt}:Day>{now.day}</{tt}:Day></{tt}:Date></{tt}:UTCDateTime></{tds}:SystemDateAndTime>"
        f"</{tds}:GetSystemDateAndTimeResponse>"
    )


def is_proven(request: str, login: tuple[str, str], ahead: timedelta, seen: set[str]) -> bool:
    """Return whether a request's UsernameToken is right, fresh by the device's clock, and new.

    Args:
        request: the whole message.
        login: user and password.
        ahead: how far the device's clock is ahead of ours.
        seen: nonces of earlier requests; this one's is added.
    """
    user, password = login
    said = {
        name: match[1]
        for name in ("Username", "Password", "Nonce", "Created")
        if (match := re.search(rf"<\w+:{name}(?: [^>]*)?>([^<]*)<", request))
    }
    if len(said) < 4 or "PasswordDigest" not in request:
        return False
    assert password not in request, "the password travels"
    created = datetime.strptime(said["Created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    nonce = base64.b64decode(said["Nonce"], validate=True)
    plain = nonce + said["Created"].encode() + password.encode()
    right = base64.b64encode(hashlib.sha1(plain).digest()).decode()
    is_fresh = abs((created - datetime.now(UTC) - ahead).total_seconds()) < 60
    is_new = said["Nonce"] not in seen
    seen.add(said["Nonce"])
    return said["Username"] == user and said["Password"] == right and is_fresh and is_new
