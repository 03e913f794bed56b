"""Options of TLS: whom a bridge trusts, and how it shows who it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CaOption = Annotated[
    Path | None, typer.Option(help="Certificates to trust; default: the system's.")
]
CertOption = Annotated[Path | None, typer.Option(help="Certificate of this client.")]
KeyOption = Annotated[Path | None, typer.Option(help="Private key of --cert.")]


def check_tls_files(
    ca: Path | None, cert: Path | None, key: Path | None, *, wanted: str = ""
) -> dict[str, Path]:
    """Return the files that are given, by option.

    Args:
        ca: of ``--ca``.
        cert: of ``--cert``.
        key: of ``--key``.
        wanted: what is expected with them and what there is; empty where there is TLS.

    Raises:
        ValueError: one is not there, or given without TLS; or a key without its certificate.
    """
    named = {"--ca": ca, "--cert": cert, "--key": key}
    given = {option: path for option, path in named.items() if path is not None}
    for option, path in given.items():
        if wanted:
            raise ValueError(f"{option} {path}: expected {wanted}")
        if not path.is_file():
            raise ValueError(f"{option}: expected a file, got {path}")
    if "--key" in given and "--cert" not in given:
        raise ValueError("--key: expected --cert with it")
    return given
