"""Sessions as signed text: who logged in, when, and by which password."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer

SALT = "mirante session"


@dataclass(frozen=True, slots=True)
class Session:
    """The content of a session.

    Attributes:
        key: says nothing, and names the session when it is ended.
        name: of the user.
        print: of the password's hash and the rights at login; another one ends the session.
        until: the Unix second at which it ends.
    """

    key: str
    name: str
    print: str
    until: float


class Sessions:
    """Makes and reads them.

    Args:
        secret: signs.
        lifetime_s: seconds that one lasts.
        clock: Unix seconds.
    """

    def __init__(self, secret: str, lifetime_s: float, clock: Callable[[], float]) -> None:
        self._secret, self._lifetime_s = secret, lifetime_s

        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock())

        self._serializer = URLSafeTimedSerializer(
            secret,
            SALT,
            signer=Signer,
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def issue(self, name: str, password_hash: str, rights: str) -> str:
        """A new session, as the cookie holds it."""
        proof = [secrets.token_urlsafe(12), name, self.fingerprint(password_hash, rights)]
        return str(self._serializer.dumps(proof))

    def read(self, text: str) -> Session | None:
        """Return the session in ``text``, or None if it was not signed here or is too old."""
        try:
            said, made = self._serializer.loads(
                text, max_age=int(self._lifetime_s), return_timestamp=True
            )
        except BadSignature:
            return None
        key, name, fingerprint = said
        return Session(key, name, fingerprint, made.timestamp() + self._lifetime_s)

    def fingerprint(self, password_hash: str, rights: str) -> str:
        """Changes with the hash and the rights, and tells nothing of either."""
        said = f"{rights}\n{password_hash}".encode()
        return hmac.new(self._secret.encode(), said, "sha256").hexdigest()[:32]
