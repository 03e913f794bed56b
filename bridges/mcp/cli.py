"""``mirante mcp``: the dashboard's API as tools of the Model Context Protocol."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from engines.commands import Text, command

HTTP = "http://127.0.0.1:8600"


def _address(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})", text)
    if found is None or not 0 < int(found[3]) < 65_536:
        raise ValueError(f'--http: expected HOST:PORT, such as 127.0.0.1:8700, got "{text}"')
    return found[1] or found[2], int(found[3])


def _url(text: str) -> str:
    try:
        split = urlsplit(text)
        is_address = bool(split.hostname) and split.port != 0
    except ValueError:
        is_address = False
    if not is_address or not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise ValueError(f'--url: "{text}" — expected http://HOST:PORT or https://…')
    return text.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class McpOptions:
    """Options of ``mirante mcp``."""

    url: Annotated[
        str,
        typer.Option(envvar="MIRANTE_URL", help="Address of the dashboard."),
        Text(_url, HTTP),
    ] = HTTP
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the dashboard's token; MIRANTE_TOKEN by default."),
    ] = None
    allow_changes: Annotated[
        bool,
        typer.Option(help="Also offer what changes cameras, as far as the token's role allows."),
    ] = False
    http: Annotated[
        tuple[str, int] | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Serve streamable HTTP there, at /mcp, instead of standard input and output; each "
            "request has a token of the dashboard.",
        ),
        Text(_address),
    ] = None

    def token(self) -> str | None:
        """Return the token; None where there is none.

        Raises:
            ValueError: its file is empty, or it is none that there can be; it is not repeated.
            OSError: its file cannot be read.
        """
        if self.token_file is None:
            place, text = "MIRANTE_TOKEN", os.environ.get("MIRANTE_TOKEN", "").strip()
            if not text:
                return None
        else:
            place = "--token-file"
            text = self.token_file.read_text(encoding="utf-8-sig", errors="replace").strip()
            if not text:
                raise ValueError(
                    f"{place}: expected a file with a token, {self.token_file} has none"
                )
        if not re.fullmatch(r"[!-~]+", text):
            raise ValueError(
                f"{place}: expected one token as “mirante dashboard token” prints it; this has "
                "spaces, further lines or signs that no token has"
            )
        return text


@command
def mcp(options: McpOptions) -> None:
    """Serve cameras, results and events to assistants over the Model Context Protocol.

    A client starts it and speaks over standard input and output. Everything is asked of a
    dashboard's API, with the rights of the token. docs/bridges/mcp.md says more.
    """
    try:
        from bridges.mcp.server import serve_http, serve_stdio
    except ModuleNotFoundError as error:
        raise RuntimeError(f"mcp needs {error.name}: pip install 'mirante[mcp]'") from None
    if options.http is None:
        serve_stdio(options.url, options.token(), allow_changes=options.allow_changes)
    else:
        serve_http(options.url, *options.http, allow_changes=options.allow_changes)
