"""Accounts: users and tokens of the configuration, and those added by command."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dashboard.access.attempts import Attempts
from dashboard.access.identity import Identity
from dashboard.access.known import Known
from dashboard.access.passwords import is_hash, is_password, of_nobody
from dashboard.access.sessions import Session, Sessions
from dashboard.access.signed_in import SignedIn
from dashboard.access.store import AccessError, Store
from pipeline.config.dashboard import ALL_CAMERAS, EVERY, Dashboard, Role

log = logging.getLogger(__name__)

SECRET_BYTES = 32
PROXY_SAID_S = 300.0  # that a proxy's word holds for a connection that stays open
Where = Literal["configuration", "command"]


@dataclass(frozen=True, slots=True)
class Account:
    """A user or a token.

    Attributes:
        role: what they may do.
        hashed: argon2 of the password, or SHA-256 of the token.
        where: it was made.
        cameras: names, or patterns of names, of the cameras that exist for them.
    """

    role: Role
    hashed: str = field(repr=False)
    where: Where
    cameras: tuple[str, ...] = ALL_CAMERAS

    @property
    def rights(self) -> str:
        """Changes with the role or the cameras; the role alone where those are all."""
        limits = () if EVERY in self.cameras else self.cameras
        return " ".join([self.role, *limits])


class Access:
    """Decide who may view and who may change.

    Where a name is both in the configuration and in the file, the configuration says.

    Args:
        settings: users, tokens and the rest of the configuration.
        folder: of the file of users that were added by command; by default that of
            ``credentials.json``.
        clock: Unix seconds.

    Raises:
        AccessError: a configured hash is none.
    """

    def __init__(
        self,
        settings: Dashboard,
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.store = Store(folder)
        self.attempts = Attempts()
        self._known = Known()
        self.proxies = settings.proxy_networks()
        self.signed_in = SignedIn(settings, clock)
        self.host = settings.host  # that is listened on
        self._clock = clock
        # Where the store cannot be written: what it would hold of sessions, until the process ends.
        self._spare_secret = ""
        self._ended: dict[str, float] = {}
        for name, user in settings.users.items():
            _check_hash(name, user.password.get_secret_value())
        of_nobody()  # made before the first login, not during it

    def users(self) -> dict[str, Account]:
        """Return the users, by name.

        Raises:
            AccessError: the file cannot be used.
        """
        stored = self.store.read().users.items()
        configured = self.settings.users.items()
        return {
            name: Account(user.role, user.password, "command", user.cameras)
            for name, user in stored
        } | {
            name: Account(
                user.role, user.password.get_secret_value(), "configuration", tuple(user.cameras)
            )
            for name, user in configured
        }

    def tokens(self) -> dict[str, Account]:
        """Return the tokens, by name.

        Raises:
            AccessError: the file cannot be used.
        """
        stored = self.store.read().tokens.items()
        configured = self.settings.tokens.items()
        return {
            name: Account(token.role, token.sha256, "command", token.cameras)
            for name, token in stored
        } | {
            name: Account(token.role, token.sha256, "configuration", tuple(token.cameras))
            for name, token in configured
        }

    def is_open(self) -> bool:
        """True where nobody is configured and only this machine can ask: whoever asks is admin."""
        return is_loopback(self.host) and not (self._is_proxied() or self._has_accounts())

    def check_binding(self, host: str) -> None:
        """Notes the address that is listened on.

        A file of accounts that cannot be used lets nobody in until it can, and stops nothing.

        Raises:
            AccessError: others can reach it, and nobody is configured.
        """
        self.host = host
        if self._is_proxied() and not self.proxies:
            log.warning(
                "dashboard.proxies names no proxy: X-Forwarded-For is not believed, and all who "
                "come through one share the limit on failed logins"
            )
        try:
            if self._has_accounts() or self.is_open():
                return
        except AccessError as error:
            log.error("nobody can be let in: %s", error)
            return
        reached = (
            "dashboard.names, https or proxies say that pages reach it through a proxy"
            if is_loopback(host)
            else f"dashboard.host: {host} can be reached by others"
        )
        raise AccessError(
            f"{reached}, and nobody may log in yet: make a user with `mirante dashboard user NAME "
            "--role admin`, or set dashboard.users, dashboard.tokens or dashboard.trusted_header"
        )

    def log_in(self, name: str, password: str) -> str | None:
        """A new session, as the cookie holds it; None where name or password is wrong.

        Slow on purpose, and as slow for a user who does not exist.

        Raises:
            AccessError: the file cannot be used.
        """
        account = self.users().get(name)
        right = is_password(password, account.hashed if account else None)
        if account is None or not right:
            return None
        return self._sessions(self._made_secret()).issue(name, account.hashed, account.rights)

    def known_by(self, name: str, address: str, cookie: str) -> str:
        """Return by what whoever logs in was known before as that user; empty for a stranger.

        Args:
            name: of the user.
            address: of the client.
            cookie: of a browser that has logged in before, as ``know`` made it.

        Raises:
            AccessError: the file cannot be used.
        """
        return self._known.by(name, address, cookie, self._secret())

    def know(self, name: str, address: str) -> str:
        """Note that a user logged in; returns what tells the browser from a stranger's.

        Raises:
            AccessError: the file cannot be used.
        """
        return self._known.issue(name, address, self._made_secret())

    def log_out(self, identity: Identity) -> None:
        """Ends a session, also for whoever has a copy of its cookie.

        Raises:
            AccessError: the file cannot be read.
        """
        session = self._read(identity.proof)
        if session is None:
            return
        now = self._clock()
        self._ended = {key: until for key, until in self._ended.items() if until > now}
        self._ended[session.key] = session.until
        try:
            with self.store.changing() as stored:
                stored.ended = {key: until for key, until in stored.ended.items() if until > now}
                stored.ended[session.key] = session.until
        except AccessError as error:
            log.error("a session ends for as long as this process runs: %s", error)

    def by_session(self, cookie: str) -> Identity | None:
        """Whose session it is, or None: it was never made here, or has ended."""
        session = self._read(cookie)
        if session is None or session.key in self._ended.keys() | self.store.read().ended.keys():
            return None
        account = self.users().get(session.name)
        if account is None:
            return None
        now = self._sessions(self._secret()).fingerprint(account.hashed, account.rights)
        if not hmac.compare_digest(session.print, now):
            return None
        return Identity(session.name, account.role, "session", cookie, account.cameras)

    def by_token(self, token: str) -> Identity | None:
        """Whose token it is, or None."""
        return self._by_digest(hashlib.sha256(token.encode()).hexdigest())

    def by_nothing(self) -> Identity | None:
        """Whoever asks without a session or token: an admin where it is open, else None."""
        return Identity("", "admin", "open") if self.is_open() else None

    def still_valid(self, identity: Identity) -> bool:
        """Return whether they still have access: the session has not ended, the token was not
        removed, and the rights are the same. Of somebody whom a proxy signed in only the proxy can
        tell, so it holds for ``PROXY_SAID_S``. False, with a line in the log, where it cannot be
        told.
        """
        if identity.how == "proxy":
            return abs(self._clock() - float(identity.proof)) < PROXY_SAID_S
        ask = {"session": self.by_session, "token": self._by_digest}.get(identity.how)
        try:
            return (ask(identity.proof) if ask else self.by_nothing()) == identity
        except AccessError as error:
            log.error("%s", error)
            return False

    def _by_digest(self, digest: str) -> Identity | None:
        found = None
        for name, account in self.tokens().items():  # all of them: time tells nothing
            if hmac.compare_digest(account.hashed, digest):
                found = Identity(name, account.role, "token", digest, account.cameras)
        return found

    def _is_proxied(self) -> bool:
        return self.settings.https or bool(self.settings.names or self.settings.proxies)

    def _has_accounts(self) -> bool:
        return bool(self.settings.trusted_header or self.users() or self.tokens())

    def _read(self, cookie: str) -> Session | None:
        secret = self._secret()
        return self._sessions(secret).read(cookie) if secret else None

    def _sessions(self, secret: str) -> Sessions:
        return Sessions(secret, self.settings.session_h * 3600, self._clock)

    def _secret(self) -> str:
        """Return the key that signs sessions; empty until somebody has logged in."""
        if self.settings.secret is not None:
            return self.settings.secret.get_secret_value()
        return self.store.read().secret or self._spare_secret

    def _made_secret(self) -> str:
        if secret := self._secret():
            return secret
        made = secrets.token_urlsafe(SECRET_BYTES)
        try:
            with self.store.changing() as stored:
                stored.secret = stored.secret or made
                return stored.secret
        except AccessError as error:
            log.error("sessions end when this process does: %s", error)
            self._spare_secret = self._spare_secret or made
            return self._spare_secret


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches ``host``, a name or an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _check_hash(name: str, hashed: str) -> None:
    if not is_hash(hashed):
        raise AccessError(
            f"dashboard.users.{name}.password: expected an argon2 hash, as `mirante dashboard "
            "hash` prints it; in a shell or a compose file each $ may need to be escaped"
        )
