"""The dashboard as the child of ``mirante up`` and ``mirante demo``.

It is told on standard input, where secrets are seen by nobody, and serves a socket that its parent
has bound, so that a page finds the address again after the child was started again.
"""

from __future__ import annotations

import json
import socket
import sys

from pipeline.loading import loading

with loading():
    from dashboard.access import Access, AccessError
    from pipeline.config.clips import ClipsKept
    from pipeline.config.dashboard import Dashboard
    from pipeline.config.settings import Log
    from pipeline.control.clip_store import ClipStoreError
    from pipeline.logs import configure_logs

REFUSED = 2


def main() -> int:
    """Serves until told to stop; returns the exit status.

    Prints ``ready`` when requests are answered. 2 when it is not to be served like this, with the
    reason on standard error.
    """
    told = json.load(sys.stdin)
    configure_logs(Log.model_validate(told["log"]))
    settings = Dashboard.model_validate(told["dashboard"])
    listening = socket.socket(fileno=told["socket"])
    try:
        access = Access(settings)
        access.check_binding(listening.getsockname()[0])
        with loading():  # not for what is refused: that takes longer than all else
            from dashboard.app import make_services
            from dashboard.server import serve
        clips = ClipsKept.model_validate(told["clips"])
        services = make_services(told["redis"], settings, access, clips=clips)
    except (AccessError, ClipStoreError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the parent reads it
        return REFUSED
    serve(services, listening, lambda: print("ready", flush=True))  # noqa: T201 - likewise
    return 0


if __name__ == "__main__":
    sys.exit(main())
