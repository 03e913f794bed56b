"""Clips with numbers in them, and RTSP servers in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.cameras.synthetic import picture
from pipeline.gst.clips import encode_pictures
from tests.support import ROOT
from tests.support.ports import free_port
from tests.support.printed import printed

FPS, FRAMES = 10, 80


class Server:
    """A camera server; restarted it keeps its port."""

    def __init__(self, clips: tuple[Path, Path], port: int = 0) -> None:
        self._clips = clips
        self.port = port
        self._process: subprocess.Popen[str] | None = None

    def start(self, password: str = "right") -> Server:
        arguments = [str(self.port), *map(str, self._clips), password]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.camera_server", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.port = int(printed(self._process))
        return self

    def url(self, mount: str, login: str = "") -> str:
        return f"rtsp://{login}127.0.0.1:{self.port}/{mount}"

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture(scope="session")
def clips(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Numbered frames 0…79 at 10 fps, in two sizes."""
    paths = []
    for width, height in ((320, 180), (480, 272)):
        path = run_folder / f"{width}.mp4"
        if not path.exists():
            part = tmp_path_factory.mktemp("clips") / path.name
            encode_pictures((picture(n, width, height) for n in range(FRAMES)), FPS, part)
            part.replace(path)
        paths.append(path)
    return paths[0], paths[1]


@pytest.fixture(scope="session")
def new_server(clips: tuple[Path, Path]) -> Iterator[Callable[[], Server]]:
    """Makes servers that have not started; all are gone at the end."""
    servers: list[Server] = []

    def make() -> Server:
        servers.append(Server(clips, free_port()))
        return servers[-1]

    yield make
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def server(new_server: Callable[[], Server]) -> Server:
    """A server that nobody harms."""
    return new_server().start()


@pytest.fixture
def tried_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cameras are tried in this process."""
    from tests.support.trial_here import try_here

    try_here(monkeypatch)
