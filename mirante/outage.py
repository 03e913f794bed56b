"""An outage of Redis in the log: a line when it begins, and one when it is over."""

from __future__ import annotations

import logging
import threading
import time

import redis

from mirante.redis_url import RedisUrl, refuses
from mirante.refusal import refusal


class Outage:
    """What several users of one Redis say of its outages together. Safe between threads.

    One line says that Redis is away, or that it refuses writes, or this client: once each in an
    outage, with the words of the first failure. A connection that broke says nothing yet: the next
    attempt knows why. One line ends the outage when all users are served again.

    Args:
        url: the server's address.
        log: where it is said.
        consequence: what becomes of things meanwhile.
        level: of the line that begins it.
    """

    def __init__(
        self, url: RedisUrl, log: logging.Logger, consequence: str, level: int = logging.WARNING
    ) -> None:
        self._url = url
        self._log = log
        self._consequence = consequence
        self._level = level
        self._lock = threading.Lock()
        self._failing: dict[str, int] = {}  # failures one after another, by user
        self._words = ""
        self._said: set[str] = set()
        self._began_s = 0.0

    @property
    def words(self) -> str:
        """The newest reason for which a user is not served; empty while all are."""
        return self._words

    def failed(self, error: BaseException, user: str = "") -> str:
        """Note that a user was not served; return why, in words.

        Args:
            error: what was raised.
            user: whom it concerns.
        """
        words = self._url.explain(error)
        with self._lock:
            if not self._failing:
                self._began_s = time.monotonic()
            self._words = words
            self._failing[user] = self._failing.get(user, 0) + 1
            kind = _kind(error)
            is_early = self._failing[user] == 1 and _is_vague(error)
            if kind not in self._said and not is_early:
                self._said.add(kind)
                mistake = None if isinstance(error, redis.RedisError | OSError) else error
                self._log.log(self._level, "%s; %s", words, self._consequence, exc_info=mistake)
        return words

    def served(self, user: str = "") -> None:
        """Note that a user was served."""
        if not self._failing:
            return
        with self._lock:
            if self._failing.pop(user, 0) == 0 or self._failing:
                return
            self._words = ""
            if self._said:
                self._said.clear()
                away_s = time.monotonic() - self._began_s
                self._log.warning("Redis %s: back, after %.0f s", self._url, away_s)


def _kind(error: BaseException) -> str:
    if refuses(error):
        return "refuses this client"
    if refusal(error):
        return "refuses writes"
    known = isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError)
    return "is away" if known or _is_vague(error) else type(error).__name__


def _is_vague(error: BaseException) -> bool:
    """Return whether all that is known is that a connection broke, or that it loads."""
    if isinstance(error, redis.BusyLoadingError) or "UNBLOCKED" in str(error):
        return True
    broken = isinstance(error, redis.ConnectionError) and not refuses(error)
    cause = error.__cause__ or error.__context__
    return broken and (cause is None or isinstance(cause, ConnectionResetError | BrokenPipeError))
