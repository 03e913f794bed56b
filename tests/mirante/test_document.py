"""What docs/subscribing.md shows is run: Python, redis-cli, JavaScript, access lists."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mirante
from mirante import Status
from plugins.outbox.outbox import Outbox
from tests.support import ROOT
from tests.support.ports import free_port
from tests.support.redis_child import RedisChild
from tests.support.simulated_camera import LANES, frame
from tests.support.wire_frames import some_event

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docs/subscribing.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PYTHON = [body for language, body in BLOCKS if language == "python"]
SHELL = [line for language, body in BLOCKS if language == "sh" for line in body.splitlines()]
RIGHTS = {
    line.split()[2]: line
    for _, body in BLOCKS
    for line in body.splitlines()
    if line.startswith("ACL SETUSER")
}


@pytest.fixture
def server(folder: Path) -> Iterator[RedisChild]:
    child = RedisChild(folder, port=free_port()).start()
    yield child
    child.kill()


@pytest.fixture
def live(server: RedisChild) -> Iterator[RedisChild]:
    """Two cameras publish, with masks, events and a state."""
    outbox, stop = Outbox(server.url), threading.Event()
    outbox.start()

    def publish() -> None:
        number = 0
        while not stop.wait(0.05):
            for camera in ("gate", "yard"):
                outbox.publish(frame(number, camera, masks=(LANES,)))
                now_s = time.time()
                happened = some_event(id=f"{camera}-{number}", camera=camera, zone="gate")
                outbox.events(camera, 1_763_899_667_123 + number, [happened])
                outbox.status(
                    Status(camera=camera, state="running", reason="ok", ts=now_s, since=now_s)
                )
            number += 1

    thread = threading.Thread(target=publish)
    thread.start()
    yield server
    stop.set()
    thread.join()
    outbox.close()


def lines_of(command: list[str], server: RedisChild, **environment: str) -> list[str]:
    """The first lines that a program writes which never ends by itself."""
    settings = {**os.environ, "MIRANTE_REDIS_URL": server.url, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=settings | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        watch = threading.Timer(30, process.kill)
        watch.start()
        found = [process.stdout.readline() for _ in range(4)]
        watch.cancel()
        process.kill()
        assert all(found), process.stderr.read()
        return found


@pytest.mark.parametrize("program", PYTHON, ids=[f"python{i}" for i in range(len(PYTHON))])
def test_python(program: str, live: RedisChild) -> None:
    lines_of([sys.executable, "-c", program], live)


@pytest.mark.parametrize("command", SHELL)
def test_redis_cli(command: str, live: RedisChild, until: Callable[..., Any]) -> None:
    until(lambda: live.client().exists("mirante:{gate}:masks"))
    time.sleep(0.3)
    assert command.startswith("redis-cli ")
    bound = command.replace("redis-cli", f"redis-cli -p {live.port}", 1)
    done = subprocess.run(
        ["bash", "-c", bound], check=True, capture_output=True, text=True, timeout=20
    )
    assert done.stdout.strip() not in ("", "0"), command
    assert "ERR" not in done.stdout


def test_javascript(live: RedisChild, tmp_path: Path) -> None:
    modules = os.environ.get("MIRANTE_NODE_MODULES", "")
    if not shutil.which("node") or not (Path(modules) / "redis").is_dir():
        pytest.skip("needs node, and MIRANTE_NODE_MODULES naming a node_modules with redis")
    [program] = [body for language, body in BLOCKS if language == "javascript"]
    (tmp_path / "masks.js").write_text(program)
    found = lines_of(["node", str(tmp_path / "masks.js")], live, NODE_PATH=modules)
    assert f"lane {LANES.planes.sum()} of {360 * 640} pixels" in found[0]


@pytest.mark.parametrize("block", [body for language, body in BLOCKS if language == "json"])
def test_the_messages_shown_are_messages(block: str) -> None:
    from mirante.wire import decode
    from mirante.wire.events import decode_event, encode_event
    from mirante.wire.messages import MasksMessage

    if "objects" in json.loads(block):
        assert decode(block.encode()).counts.balanced
    elif "kind" in json.loads(block):
        event = json.loads(encode_event(decode_event(block.encode())))
        assert event == json.loads(block)
    else:
        import msgspec

        assert msgspec.json.decode(block, type=MasksMessage).masks[0].encoding == "bits"


def test_the_rights_of_a_publisher_are_enough(
    server: RedisChild, until: Callable[..., Any]
) -> None:
    server.client().execute_command(*RIGHTS["publisher"].split())
    outbox = Outbox(server.url.replace("://", "://publisher:PASSWORD@"))
    outbox.start()
    outbox.watched("gate")
    outbox.publish(frame(0, masks=(LANES,)))
    until(lambda: outbox.state.sent == {"gate": 1})
    outbox.preview("gate", b"", {})
    time.sleep(0.7)
    assert outbox.state.words == ""
    outbox.close()


@pytest.mark.parametrize(("user", "group"), [("viewer", None), ("consumer", "alarm")])
def test_the_rights_of_a_subscriber_are_enough(
    live: RedisChild, user: str, group: str | None
) -> None:
    live.client().execute_command(*RIGHTS[user].split())
    url = live.url.replace("://", f"://{user}:PASSWORD@")
    kinds: Any = ("detections", "masks", "events", "status")
    with mirante.subscribe("*", kinds, group, "0", redis=url, timeout_s=20) as subscription:
        found = [next(subscription) for _ in range(400)]
    assert {type(item).__name__ for item in found} == {"Frame", "ReceivedEvent", "Status"}


def test_a_viewer_cannot_write(server: RedisChild) -> None:
    import redis

    server.client().execute_command(*RIGHTS["viewer"].split())
    url = server.url.replace("://", "://viewer:PASSWORD@")
    with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.xadd("mirante:{gate}:detections", {"json": "{}"})
