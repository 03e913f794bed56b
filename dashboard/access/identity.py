"""The identity behind a request, its role, and the cameras that exist for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from pipeline.config.dashboard import ALL_CAMERAS, EVERY, Role


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity behind a request.

    Attributes:
        name: of the user or token; empty where nobody needs to log in.
        role: what they may do.
        how: known by nothing (``open``), a cookie, a token, or a proxy that signed them in.
        proof: the session or the SHA-256 of the token, by which this can be asked again later; of a
            proxy the Unix second at which it said so.
        cameras: names, or patterns of names, of the cameras that exist for them.
    """

    name: str
    role: Role
    how: Literal["open", "session", "token", "proxy"]
    proof: str = field(default="", repr=False)
    cameras: tuple[str, ...] = ALL_CAMERAS

    @property
    def sees_all(self) -> bool:
        """Whether every camera exists for them, those of tomorrow too."""
        return EVERY in self.cameras

    def sees(self, camera: str) -> bool:
        """Return whether a camera of that name exists for them, if it exists at all."""
        return self.sees_all or any(fnmatchcase(camera, each) for each in self.cameras)

    def seen(self, cameras: Iterable[str]) -> list[str]:
        """Return those of the names that exist for them."""
        return [name for name in cameras if self.sees(name)]
