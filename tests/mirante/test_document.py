"""What docs/subscribing.md shows is run: Python, redis-cli, JavaScript, access lists."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
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
FORKING = """
import os, sys
import mirante.aio
for number, program in enumerate(sys.argv[1:]):
    if os.fork() == 0:
        file = os.open(str(number), os.O_CREAT | os.O_WRONLY)
        os.dup2(file, 1)
        os.dup2(file, 2)
        exec(compile(program, "shown", "exec"), {"__name__": "__main__"})
        break
else:
    os.waitpid(-1, 0)
"""


@pytest.fixture
def server(folder: Path) -> Iterator[RedisChild]:
    child = RedisChild(folder, port=free_port()).start()
    yield child
    child.kill()


@contextmanager
def publishing(server: RedisChild) -> Iterator[RedisChild]:
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


@pytest.fixture
def live(server: RedisChild) -> Iterator[RedisChild]:
    """A server to which cameras publish from now on."""
    with publishing(server) as made:
        yield made


@pytest.fixture(scope="module")
def running() -> Iterator[RedisChild]:
    """The same for programs that only look."""
    with tempfile.TemporaryDirectory(prefix="mr") as short:
        child = RedisChild(Path(short), port=free_port()).start()
        with publishing(child):
            yield child
        child.kill()


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
        watch = threading.Timer(60, process.kill)
        watch.start()
        found = [process.stdout.readline() for _ in range(4)]
        watch.cancel()
        process.kill()
        assert all(found), process.stderr.read()
        return found


@pytest.fixture(scope="module")
def printed(running: RedisChild, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The first that each program prints: one process loads what they import, and forks."""
    folder = tmp_path_factory.mktemp("printed")
    files = [folder / str(number) for number in range(len(PYTHON))]

    def texts() -> list[str]:
        return [file.read_text() if file.exists() else "" for file in files]

    with subprocess.Popen(
        [sys.executable, "-c", FORKING, *PYTHON],
        cwd=folder,
        env={**os.environ, "MIRANTE_REDIS_URL": running.url, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as process:
        end_s = time.monotonic() + 100
        while any(text.count("\n") < 4 for text in texts()) and time.monotonic() < end_s:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    return texts()


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python(printed: list[str], number: int) -> None:
    assert printed[number].count("\n") >= 4
    assert "Traceback" not in printed[number]


@pytest.mark.parametrize("command", SHELL)
def test_redis_cli(command: str, running: RedisChild, until: Callable[..., Any]) -> None:
    until(lambda: running.client().exists("mirante:{gate}:masks", "mirante:{gate}:status") == 2)
    assert command.startswith("redis-cli ")
    bound = command.replace("redis-cli", f"redis-cli -p {running.port}", 1)
    done = subprocess.run(
        ["bash", "-c", bound], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() not in ("", "0"), command
    assert "ERR" not in done.stdout


def test_javascript(running: RedisChild, tmp_path: Path) -> None:
    modules = os.environ.get("MIRANTE_NODE_MODULES", "")
    if not shutil.which("node") or not (Path(modules) / "redis").is_dir():
        pytest.skip("needs node, and MIRANTE_NODE_MODULES naming a node_modules with redis")
    [program] = [body for language, body in BLOCKS if language == "javascript"]
    (tmp_path / "masks.js").write_text(program)
    found = lines_of(["node", str(tmp_path / "masks.js")], running, NODE_PATH=modules)
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
    with mirante.subscribe("*", kinds, group, "0", redis=url, timeout_s=60) as subscription:
        found = set[str]()
        for item in islice(subscription, 400):
            found.add(type(item).__name__)
            if found == {"Frame", "ReceivedEvent", "Status"}:
                break
        else:
            pytest.fail(f"of 400 entries all were {found}")


def test_a_viewer_cannot_write(server: RedisChild) -> None:
    import redis

    server.client().execute_command(*RIGHTS["viewer"].split())
    url = server.url.replace("://", "://viewer:PASSWORD@")
    with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.xadd("mirante:{gate}:detections", {"json": "{}"})
