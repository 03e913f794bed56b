"""The server that runs a model which has no file here."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engines.runtimes.names import SCHEMES

_SCHEMES = tuple(dict.fromkeys(scheme for schemes in SCHEMES.values() for scheme in schemes))


class Server(BaseModel):
    """A server of models and the model's name there, as a manifest gives them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        repr=False,
        description="http(s)://host:port, with a path where it has one; grpc(s)://host:port for "
        "kserve-grpc. A user and password go before the host, as ${VARIABLE} to keep them out "
        "of the file",
    )
    model: str = Field(min_length=1, pattern=r"^[^/\s]+$", description="its name there")
    version: str = Field("", pattern=r"^[^/\s]*$", description="of the model; empty for its newest")
    timeout_s: float = Field(
        2.0, gt=0, le=600, description="longest wait for an answer, all attempts together"
    )
    attempts: int = Field(
        3, ge=1, le=20, description="how often to ask when it is out of reach or fails"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        # The address is in no message: there may be a password in it.
        expected = "url: expected scheme://host:port, the scheme one of " + ", ".join(_SCHEMES)
        try:
            split = urlsplit(self.url)
            host, _ = split.hostname, split.port
        except ValueError:
            raise ValueError(f"{expected}; in a password write / ? # @ % as %2F %3F …") from None
        if split.scheme not in _SCHEMES or not host or split.query or split.fragment:
            raise ValueError(f"{expected}, and nothing after its path")
        return self

    @property
    def path(self) -> str:
        """Of the model below the protocol's version: ``models/NAME``, and its version if said."""
        return f"models/{self.model}" + (f"/versions/{self.version}" if self.version else "")

    def __str__(self) -> str:
        """The model and its address, without user and password."""
        split = urlsplit(self.url)
        host = split.netloc.rpartition("@")[2]
        version = f" version {self.version}" if self.version else ""
        return f"model {self.model}{version} at {split.scheme}://{host}{split.path.rstrip('/')}"
