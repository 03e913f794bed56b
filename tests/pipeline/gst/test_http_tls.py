"""Every kind over HTTPS trusts the certificates of SSL_CERT_FILE, and no other of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cameras.state import State
from tests.support import ROOT
from tests.support.certificate import certificate
from tests.support.http_camera import HttpCamera, http_camera, jpeg
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

CLIP = (ROOT / "tests/support/numbers.h265.mp4").read_bytes()
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.mp4\n#EXT-X-ENDLIST\n"
PATHS = {"": "/stream", "snapshot+": "/a.jpg", "hls+": "/list", "file+": "/a.mp4"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def camera(folder: Path) -> Iterator[HttpCamera]:
    image = jpeg(7)
    with http_camera(certificate(folder)) as server:
        server.files = {"/a.mp4": CLIP, "/list": PLAYLIST, "/a.jpg": image}
        server.manners["/stream"] = lambda request: request.stream(itertools.repeat(image), 10)
        yield server


@pytest.mark.parametrize("prefix", PATHS)
def test_only_a_certificate_that_is_trusted(
    prefix: str, camera: HttpCamera, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = camera.url(PATHS[prefix], prefix)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with Watched("unknown", url) as watched:
        _, reason = watched.wait(State.FAILED)
    assert reason == "the camera's certificate is not trusted: self-signed certificate"
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "own.pem"))
    with Watched("trusted", url) as watched:
        watched.seen.wait(1)
