"""The browsers and addresses from which a user has logged in before.

They let nobody in. They only keep guesses by strangers from delaying a login that is likely the
user's own (``dashboard.access.slowed``).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict

from itsdangerous import BadSignature, URLSafeSerializer

from dashboard.access.attempts import network

SALT = "mirante known browser"
ADDRESSES_MOST = 16  # of one user, the last


class Known:
    """Addresses are held in memory; browsers hold a signed cookie."""

    def __init__(self) -> None:
        self._addresses: dict[str, OrderedDict[str, None]] = {}

    def issue(self, name: str, address: str, secret: str) -> str:
        """Note that a user logged in.

        Returns:
            what the browser's cookie is to hold.
        """
        known = self._addresses.setdefault(name, OrderedDict())
        known[network(address)] = None
        known.move_to_end(network(address))
        while len(known) > ADDRESSES_MOST:
            known.popitem(last=False)
        return str(URLSafeSerializer(secret, SALT).dumps([secrets.token_urlsafe(12), name]))

    def by(self, name: str, address: str, cookie: str, secret: str) -> str:
        """Return by what whoever logs in is known as that user; empty for a stranger."""
        try:
            key, of = URLSafeSerializer(secret, SALT).loads(cookie) if secret else ("", "")
        except BadSignature:
            key, of = "", ""
        if of == name:
            return f"browser {key}"
        return network(address) if network(address) in self._addresses.get(name, ()) else ""
