"""Every command of skills/mirante/SKILL.md does what the page says, in its order."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from tests.support import ROOT
from tests.support.outcome import Run
from tests.support.ports import free_port
from tests.support.trial_here import try_here

TEXT = (ROOT / "skills/mirante/SKILL.md").read_text(encoding="utf-8")
ENDS_WITH = {"./run doctor --deep": (0, 1)}  # 1: something is worth a look, as on a shared machine


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def test_its_head_says_what_it_is_for() -> None:
    _, head, _ = TEXT.split("---\n", 2)
    facts = yaml.safe_load(head)
    assert facts.keys() == {"name", "description"}
    assert facts["name"] == (ROOT / "skills/mirante").name
    assert 100 < len(facts["description"]) < 1024
    assert len(TEXT.splitlines()) < 120


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", TEXT):
        assert (ROOT / "skills/mirante" / target).exists(), target


@pytest.fixture
def user(environment: dict[str, str], redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The variables of one who has a Redis and the ports of a worker of their own."""
    environment |= {
        "MIRANTE_REDIS__URL": redis_url,
        "MIRANTE_DASHBOARD__PORT": str(free_port()),
        "MIRANTE_METRICS__PORT": "0",
        "GATE_PASSWORD": "secret",
        "GST_PLUGIN_PATH": str(ROOT / "plugins"),
    }
    (tmp_path / "run").symlink_to(shutil.which("mirante", path=environment["PATH"]) or "")
    first, users = blocks("yaml")
    (tmp_path / "street.yaml").write_text(first)
    (tmp_path / "gate.yaml").write_text(users)
    return environment


@pytest.mark.timeout(300)
def test_its_commands_work_one_after_another(
    mirante: Run,
    user: dict[str, str],
    started: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In this process, but for what runs until it is ended."""
    told = ""  # by the last command
    port = user["MIRANTE_DASHBOARD__PORT"]
    monkeypatch.chdir(tmp_path)
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    try_here(monkeypatch)

    def done(line: str) -> str:
        program, *words = shlex.split(line.replace(":8600", f":{port}"))
        if program == "curl":
            reply = httpx.get(words[-1], timeout=60).raise_for_status()
            return reply.text
        assert program == "./run"
        ended = mirante(*words)
        said = ended.out + ended.err
        assert ended.status in ENDS_WITH.get(line, (0,)), f"{line}\n{said}"
        return said

    for line in "".join(blocks("bash")).splitlines():
        if line.startswith("./run up"):
            started(str(tmp_path / "run"), "up", str(tmp_path / "street.yaml"))
            until_results(done)
            continue
        told = done(line)
    token = told.split()[0]
    done("./run check gate.yaml")
    [config] = blocks("json")
    asked = json.loads(config.replace('TOKEN"}', f'{token}"}}'))["mcpServers"]["mirante"]
    url = f"http://127.0.0.1:{port}"
    server = StdioServerParameters(
        command=str(tmp_path / asked["command"]),
        args=asked["args"],
        env=user | asked["env"] | {"MIRANTE_URL": url},
    )

    async def listed() -> list[str]:
        async with Client(server) as client:
            result = await client.call_tool("list_cameras", {})
            assert result.structured_content is not None, result.content
            return [each["name"] for each in result.structured_content["cameras"]]

    assert asyncio.run(listed()) == ["street"]


def until_results(done: Callable[[str], str]) -> None:
    """Wait for the first results of the camera, as somebody would."""
    end_s = time.monotonic() + 90
    while True:
        try:
            done("curl http://127.0.0.1:8600/api/v1/results/street/latest")
            return
        except httpx.HTTPError:
            assert time.monotonic() < end_s, "no results"
            time.sleep(0.2)
