"""``mirante mcp`` as clients reach it: its options, standard input and output, HTTP."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from bridges.mcp.cli import McpOptions
from bridges.mcp.server import http_app
from pipeline.cli.app import run as cli
from tests.support.api_server import Bench
from tests.support.mcp_calls import CHANGES, facts


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--http", "127.0.0.1", "expected HOST:PORT, such as 127.0.0.1:8700"),
        ("--http", "127.0.0.1:99999", "expected HOST:PORT"),
        ("--url", "127.0.0.1:8600", "expected http://HOST:PORT or https://…"),
        ("--url", "http://anna:secret@gate", "expected http://HOST:PORT"),
        ("--url", "http://gate:99999", "expected http://HOST:PORT"),
        ("--url", "http://[::1", "expected http://HOST:PORT"),
        ("--url", "http://::1:8600", "expected http://HOST:PORT"),
        ("--token-file", "", "expected a file with a token"),
    ],
)
def test_a_wrong_option_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, value: str, expected: str
) -> None:
    (tmp_path / "empty").touch()
    assert cli(["mcp", option, value or str(tmp_path / "empty")]) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"{option}: " in said
    assert expected in said
    assert value.replace("anna:secret", "***") in said


@pytest.mark.parametrize("text", ["s3cret\nother", "“s3cret”", "s3cret other"])
def test_what_is_no_token_is_said_and_not_repeated(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    monkeypatch.setenv("MIRANTE_TOKEN", text)
    for place, more in {"--token-file": [str(tmp_path / "token")], "MIRANTE_TOKEN": []}.items():
        assert cli(["mcp", *([place] if more else []), *more]) != 0
        said = capsys.readouterr().err
        assert f"{place}: expected one token" in said
        assert "s3cret" not in said


def test_a_token_of_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\r\n", encoding="utf-8-sig")
    assert McpOptions(token_file=tmp_path / "token").token() == "s3cret"


def test_over_standard_input_and_output(site: Bench, tmp_path: Path) -> None:
    """The command itself, as a client starts it."""
    token = tmp_path / "token"
    token.write_text("operator\n")
    mirante = str(Path(sys.executable).with_name("mirante"))
    arguments = ["mcp", "--token-file", str(token), "--allow-changes"]
    env = {**os.environ, "MIRANTE_URL": site.address}
    command = StdioServerParameters(command=mirante, args=arguments, env=env)

    async def said() -> None:
        async with Client(command) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert tools >= CHANGES
            assert (await facts(client, "list_cameras"))["role"] == "operator"
            assert (await facts(client, "pause_camera", camera="gate"))["paused"]

    asyncio.run(said())


def test_over_http_each_request_has_its_own_rights(site: Bench) -> None:
    app = http_app(site.address, "127.0.0.1", allow_changes=True)
    web = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, log_level="warning"))
    thread = threading.Thread(target=web.run)
    thread.start()
    site.until(lambda: web.started)
    port = web.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}/mcp"

    async def role(token: str, **more: str) -> str:
        headers = {"Authorization": f"Bearer {token}", **more}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            found = await facts(client, "list_cameras")
            return str(found["role"])

    try:
        assert asyncio.run(role("operator")) == "operator"
        # As what ends TLS in front of it hands on what it was asked.
        assert asyncio.run(role("viewer", Host="mcp.example.com")) == "viewer"
        for headers in (
            {},
            *({b"Authorization": f"Bearer {text}".encode()} for text in ("no", "ę")),
        ):
            with httpx2.Client(headers=headers) as http:
                assert http.post(url, json={}).status_code == 401
    finally:
        web.should_exit = True
        thread.join(20)
