"""Limit how often a password may be tried: by address, by name, and by both."""

from __future__ import annotations

import ipaddress
import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from dashboard.access.slowed import Slowed

PER_NAME_AND_ADDRESS = RateLimitItemPerMinute(5, namespace="name")
PER_ADDRESS = RateLimitItemPerMinute(20, namespace="address")
NETWORK_BITS = 64  # of an IPv6 address: what one customer has, with any number of addresses in it


class TooOftenError(RuntimeError):
    """Too many failures; ``retry_s`` whole seconds until the next may be tried."""

    def __init__(self, retry_s: int) -> None:
        super().__init__(f"too many failures; try again in {retry_s} s")
        self.retry_s = retry_s


class Attempts:
    """Failures by client address, and by address and user name, in windows of a minute; and by user
    name from all addresses, which wait longer each time.

    An attempt counts from its begin and is taken back when it succeeds, so that guesses made at the
    same time are as few as those made in turn. Held in memory; keys expire with their window.
    """

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._slowed = Slowed()

    def begin(self, address: str, name: str = "", known: str = "") -> None:
        """Counts an attempt.

        Args:
            address: of the client.
            name: of the user; empty where none was said.
            known: by what they were known before as that user; empty for a stranger.

        Raises:
            TooOftenError: not to be tried now.
        """
        for limit, keys in _counted(address, name):
            if not self._limiter.hit(limit, *keys):
                ends = self._limiter.get_window_stats(limit, *keys).reset_time
                raise TooOftenError(max(1, math.ceil(ends - time.time())))
        if name and (wait_s := self._slowed.begin(name, known, network(address))):
            raise TooOftenError(wait_s)

    def check(self, address: str) -> None:
        """Counts nothing.

        Raises:
            TooOftenError: as ``begin``.
        """
        for limit, keys in _counted(address, ""):
            if not self._limiter.test(limit, *keys):
                ends = self._limiter.get_window_stats(limit, *keys).reset_time
                raise TooOftenError(max(1, math.ceil(ends - time.time())))

    def succeeded(self, address: str, name: str, known: str = "") -> None:
        """Takes an attempt back."""
        self._slowed.succeeded(name, known, network(address))
        for limit, keys in _counted(address, name):
            self._storage.decr(limit.key_for(*keys))


def _counted(address: str, name: str) -> list[tuple[RateLimitItem, tuple[str, ...]]]:
    whose = network(address)
    by_address: tuple[RateLimitItem, tuple[str, ...]] = (PER_ADDRESS, (whose,))
    return [(PER_NAME_AND_ADDRESS, (whose, name)), by_address] if name else [by_address]


def network(address: str) -> str:
    """Return what counts as one address: a customer's network, where that is IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed.packed, NETWORK_BITS), strict=False))
