"""The faults, each of which is over when its function returns."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.once.servers import Single, Watched
from benchmarks.once.site import Site


def _worker(kill: bool) -> Callable[[Site], None]:
    def fault(site: Site) -> None:
        site.end_worker(kill)
        site.start_worker()

    return fault


def _outage(emptied: bool) -> Callable[[Site], None]:
    def fault(site: Site) -> None:
        assert isinstance(site.servers, Single)
        site.servers.outage(site.down_s, emptied)

    return fault


def _failover(site: Site) -> None:
    assert isinstance(site.servers, Watched)
    site.servers.fail_over()


def _reconnect(site: Site) -> None:
    site.rtsp.kill()
    site.rtsp.start()


def _pause(site: Site) -> None:
    site.pause(True)
    time.sleep(1.0)
    site.pause(False)


FAULTS: dict[str, Callable[[Site], None]] = {
    "none": lambda site: None,
    "kill": _worker(kill=True),
    "restart": _worker(kill=False),
    "takeover": _worker(kill=False),
    "redis": _outage(emptied=False),
    "emptied": _outage(emptied=True),
    "failover": _failover,
    "reconnect": _reconnect,
    "pause": _pause,
    "swap": Site.swap_model,
}
