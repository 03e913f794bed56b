"""Webhooks that run in a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridges.reading import Reading
from bridges.webhook.given import Given
from bridges.webhook.running import carry, hooks_of
from tests.support.bridged import running

FAST = {"first_s": 0.01, "most_s": 0.05, "timeout_s": 60}


@contextmanager
def hooked(address: str, folder: Path, **hooks: dict[str, Any]) -> Iterator[None]:
    """Run the hooks of a file until the block is left; raise what they raised.

    Args:
        address: of Redis.
        folder: for the file.
        **hooks: keys of each, by name.
    """
    file = folder / "hooks.yaml"
    links = {"dashboard": "https://cams.example", "secret": "0123456789abcdef"}
    whole = {name: FAST | hook for name, hook in hooks.items()}
    file.write_text(json.dumps({"hooks": whole, "links": links}))  # JSON is YAML
    reading = Reading(redis=address, since_s=1e9)
    checked, several = hooks_of(Given(hooks=file), reading)
    stop = threading.Event()
    with running(lambda: carry(checked, several, stop), stop):
        yield
