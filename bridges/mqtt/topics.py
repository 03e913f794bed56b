"""Names of topics: ``mirante/gate/counts/person``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

# Brokers end the connection of whoever sends them a control character, or what is no character.
_NONE = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_UNFIT = re.compile(rf"[/+#%\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONE}]")


def level(name: str) -> str:
    """Return a name as one level of a topic: ``/``, ``+``, ``#``, ``%`` and what brokers refuse as
    ``%2F`` and so on, all else as it is.
    """
    return _UNFIT.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name)


def name_of(text: str) -> str:
    """Return the name that ``level`` made this of."""
    return unquote(text)


@dataclass(frozen=True)
class Topics:
    """Topics below one prefix."""

    prefix: str

    @property
    def available(self) -> str:
        """``online`` while the bridge is connected, else ``offline``."""
        return f"{self.prefix}/available"

    def of(self, camera: str, *names: str) -> str:
        """Return a topic of a camera."""
        return "/".join((self.prefix, camera, *map(level, names)))

    def split(self, topic: str) -> tuple[str, tuple[str, ...]] | None:
        """Return the camera and the names of a topic of ours; None for any other."""
        if not topic.startswith(f"{self.prefix}/"):
            return None
        camera, *names = topic.removeprefix(f"{self.prefix}/").split("/")
        return (camera, tuple(map(name_of, names))) if names else None
