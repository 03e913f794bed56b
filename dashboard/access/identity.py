"""The identity behind a request, and its role."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.config.settings import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity behind a request.

    Attributes:
        name: of the user or token; empty where nobody needs to log in.
        role: what they may do.
        how: known by nothing (``open``), a cookie or a token.
        proof: the session or the SHA-256 of the token, by which this can be asked again later.
    """

    name: str
    role: Role
    how: Literal["open", "session", "token"]
    proof: str = field(default="", repr=False)
