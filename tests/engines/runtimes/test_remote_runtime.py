"""Servers of models that fail: what is said, how often they are asked, and that nobody waits on."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper

import engines
from engines.manifest import ManifestError
from engines.runtimes import RemoteError, Session, open_remote_session
from engines.runtimes.remote.server import Server
from engines.store.models import ModelUnavailableError, resolve_file, show
from tests.support.grpc_model_server import GrpcServer
from tests.support.model_server import HttpServer, Models
from tests.support.onnx_networks import colour_grid, save

pytestmark = pytest.mark.slow

pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed")
pytest.importorskip("httpcore", reason="httpcore is not installed")

RUNTIMES = ("kserve-http", "kserve-grpc", "tf-serving")
HTTP = ("kserve-http", "tf-serving")
PICTURE = {"images": np.full((1, 3, 16, 32), 0.5, np.float32)}


@dataclass
class Served:
    """The double as one runtime sees it."""

    runtime: str
    models: Models
    server: HttpServer | GrpcServer

    @property
    def url(self) -> str:
        scheme = "grpc" if isinstance(self.server, GrpcServer) else "http"
        return f"{scheme}://127.0.0.1:{self.server.port}"

    def open(self, **more: Any) -> Session:
        more = {"url": self.url, "model": "grid", "timeout_s": 60, **more}
        return open_remote_session(self.runtime, Server(**more))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Served]]:
    """Starts the double of a runtime; it serves the model ``grid``."""
    running: list[Served] = []

    def begin(runtime: str) -> Served:
        models = Models()
        models.add("grid", colour_grid(tmp_path / "grid.onnx", "yolov8", 32, 16))
        server = GrpcServer(models) if runtime == "kserve-grpc" else HttpServer(models)
        running.append(Served(runtime, models, server))
        return running[-1]

    yield begin
    for one in running:
        one.server.stop()


@contextmanager
def within(session: Any, seconds: float) -> Iterator[None]:
    """For a while a manifest that gives an answer so little time, in which a busy machine might not
    give those that are wanted.
    """
    server = session._remote._server
    session._remote._server = server.model_copy(update={"timeout_s": seconds})
    try:
        yield
    finally:
        session._remote._server = server


@pytest.fixture(params=RUNTIMES)
def served(request: pytest.FixtureRequest, start: Callable[[str], Served]) -> Served:
    return start(request.param)


def test_what_fails_once_is_asked_again(served: Served) -> None:
    session = served.open()
    for fault in ("error", "drop"):
        served.models.fail(fault, times=2)
        assert session.run(PICTURE)["output0"].shape == (1, 7, 10)
        assert served.models.asked == 3


def test_what_fails_each_time_is_said_with_the_number_of_attempts(served: Served) -> None:
    session = served.open(attempts=2)
    served.models.fail("error", times=9)
    words = (
        rf"model grid at {served.url}: answered (500|INTERNAL) out of memory, after 2 attempts in "
    )
    with pytest.raises(RemoteError, match=words):
        session.run(PICTURE)
    assert served.models.asked == 2


def test_what_the_server_refuses_is_not_asked_again(served: Served) -> None:
    session = served.open()
    served.models.fail("gone", times=9)
    with pytest.raises(RemoteError, match=r"answered (400|INVALID_ARGUMENT) out of memory$"):
        session.run(PICTURE)
    assert served.models.asked == 1


def test_a_server_that_hangs_is_waited_for_no_longer_than_the_manifest_says(
    served: Served,
) -> None:
    session = served.open(attempts=5)
    served.models.fail("hang")
    words = r"no (complete )?answer within 0\.3 s, after 1 attempt in \d"
    with within(session, 0.3), pytest.raises(RemoteError, match=words):
        session.run(PICTURE)
    served.models.release.set()
    assert session.run(PICTURE)


@pytest.mark.parametrize("fault", ["drip", "creep"])
@pytest.mark.parametrize("runtime", HTTP)
def test_an_answer_that_never_ends_is_not_waited_for(
    runtime: str, fault: str, start: Callable[[str], Served]
) -> None:
    """Neither its body nor its header, though each byte comes in time."""
    served = start(runtime)
    session = served.open()
    served.models.fail(fault)
    words = r"no complete answer within 0\.4 s, after 1 attempt"
    with within(session, 0.4), pytest.raises(RemoteError, match=words):
        session.run(PICTURE)


def test_a_server_that_is_away_is_said_to_be_and_used_when_it_is_back(served: Served) -> None:
    session = served.open()
    session.run(PICTURE)
    served.server.stop()
    with pytest.raises(RemoteError, match=r"onnection refused.*, after 3 attempts in "):
        session.run(PICTURE)
    served.server.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            session.run(PICTURE)
            break
        except RemoteError:  # gRPC looks for the server once a second at most
            time.sleep(0.05)
    else:
        pytest.fail("the server is back and not used")


def test_the_wait_for_a_server_that_comes_back_ends_with_its_answer(served: Served) -> None:
    session = served.open(attempts=20)
    served.server.stop()
    thread = threading.Timer(0.3, served.server.start)
    thread.start()
    assert session.run(PICTURE)
    thread.join()


def test_another_shape_than_declared_is_refused(served: Served) -> None:
    session = served.open()
    served.models.fail("shape")
    words = r"output output0 came as float32 \(1, 7, 9\), declared is float32 \(1, 7, 10\)"
    with pytest.raises(RemoteError, match=words):
        session.run(PICTURE)


def test_another_output_than_declared_is_refused(served: Served) -> None:
    session = served.open()
    served.models.fail("nameless")
    # TensorFlow Serving leaves out the name of a sole output, and gives a table where several are.
    with pytest.raises(
        RemoteError, match=r"output output0 is missing|answered with an invalid reply"
    ):
        session.run(PICTURE)


def test_an_answer_cut_short_is_refused(served: Served) -> None:
    session = served.open()
    served.models.fail("short")
    with pytest.raises(RemoteError, match=r"answered with (an invalid reply|invalid JSON): .{8}"):
        session.run(PICTURE)
    assert session.run(PICTURE)


@pytest.mark.parametrize("runtime", HTTP)
def test_what_is_no_answer_is_refused(runtime: str, start: Callable[[str], Served]) -> None:
    served = start(runtime)
    session = served.open()
    served.models.fail("garbage")
    with pytest.raises(RemoteError, match=r"answered with (an invalid reply|invalid JSON)"):
        session.run(PICTURE)


def test_nan_from_a_server_is_an_error_of_the_frame(served: Served, tmp_path: Path) -> None:
    model = engines.load(str(manifest_of(served, tmp_path)))
    picture = np.zeros((16, 32, 3), np.uint8)
    served.models.fail("nan")
    with pytest.raises(RuntimeError, match="70 of 70 values of output output0 are not finite"):
        model(picture)
    assert model(picture).detections.labels == ("red", "green", "blue")


def manifest_of(served: Served, folder: Path, **more: Any) -> Path:
    path = folder / "grid.yaml"
    manifest = {
        "name": "grid",
        "task": "detect",
        "licence": "MIT",
        "runtime": served.runtime,
        "server": {"url": served.url, "model": "grid"},
        "input": {"name": "images", "size": [32, 16], "scale": 1 / 255},
        "decoder": "yolov8",
        "labels": ["red", "green", "blue"],
        "threshold": 0.5,
    }
    path.write_text(yaml.safe_dump({**manifest, **more}))
    return path


def test_a_manifest_names_a_model_on_a_server(served: Served, tmp_path: Path) -> None:
    path = manifest_of(served, tmp_path)
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, :16, 0] = 255
    found = engines.load(str(path))(picture).detections
    local = manifest_of(served, tmp_path, server=None, runtime=None, file="grid.onnx")
    wanted = engines.load(str(local))(picture).detections
    assert len(found) == len(wanted) > 0
    assert np.allclose(found.xyxy, wanted.xyxy, atol=1e-4)
    assert np.allclose(found.score, wanted.score, atol=1e-6)


def test_such_a_model_has_no_file_and_no_other_runtime(served: Served, tmp_path: Path) -> None:
    path = str(manifest_of(served, tmp_path))
    manifest, listing = show(path)
    assert (listing.place, listing.path) == ("server", None)
    with pytest.raises(ModelUnavailableError, match="runs on a server, there is no file"):
        resolve_file(manifest)
    words = f"model grid is on a server, by {served.runtime}; got openvino"
    with pytest.raises(ValueError, match=words):
        engines.load(path, runtime="openvino")


def test_another_model_there_is_refused_by_load(served: Served, tmp_path: Path) -> None:
    path = manifest_of(served, tmp_path, input={"name": "pictures", "size": [32, 16]})
    with pytest.raises(ManifestError, match=r"input: expected images, .* got pictures"):
        engines.load(str(path))


def test_a_model_that_is_not_there_is_refused_by_name(served: Served) -> None:
    with pytest.raises(RemoteError, match=r"model nope at .*answered .*unknown model: nope"):
        served.open(model="nope")


@pytest.mark.parametrize("runtime", HTTP)
def test_a_version_is_asked_for(runtime: str, start: Callable[[str], Served]) -> None:
    served = start(runtime)
    assert served.open(version="1").run(PICTURE)
    with pytest.raises(RemoteError, match=r"model grid version 7 at .* answered 404"):
        served.open(version="7")


def test_credentials_are_sent_and_shown_by_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.models.credentials = "ana:s3cr/t"
    monkeypatch.setenv("MODELS_PASSWORD", "s3cr/t")
    scheme, _, host = served.url.partition("://")
    session = served.open(url=f"{scheme}://ana:${{MODELS_PASSWORD}}@{host}", attempts=1)
    assert session.run(PICTURE)
    served.models.fail("error")
    with pytest.raises(RemoteError) as caught:
        session.run(PICTURE)
    served.models.fail("error", 0)
    with pytest.raises(RemoteError, match=r"answered (401|UNAUTHENTICATED)") as refused:
        served.open(url=f"{scheme}://ana:wr0ng@{host}")
    shown = repr(Server(url=f"{scheme}://ana:wr0ng@{host}", model="m"))
    for text in (str(caught.value), str(refused.value), shown):
        assert not re.search("ana|s3cr|wr0ng", text)


def test_a_password_that_the_environment_lacks_is_named(served: Served) -> None:
    url = served.url.replace("://", "://ana:${NO_SUCH_VARIABLE}@")
    with pytest.raises(ValueError, match="the environment variable NO_SUCH_VARIABLE is not set"):
        served.open(url=url)


def test_a_server_without_the_binary_extension_is_sent_json(
    start: Callable[[str], Served],
) -> None:
    served = start("kserve-http")
    binary = served.open().run(PICTURE)["output0"]
    served.models.extensions = ()
    assert np.array_equal(served.open().run(PICTURE)["output0"], binary)


def test_text_tensors_are_refused_at_the_start(served: Served, tmp_path: Path) -> None:
    text = helper.make_tensor_value_info("words", TensorProto.STRING, [1])
    out = helper.make_tensor_value_info("same", TensorProto.STRING, [1])
    node = helper.make_node("Identity", ["words"], ["same"])
    served.models.add("text", save(tmp_path / "text.onnx", [node], {}, [text], [out]))
    with pytest.raises(RemoteError, match=r"words is (BYTES|DT_STRING); expected one of"):
        served.open(model="text")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that only itself vouches for, and its key."""
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += [
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run(
        [*command, "-out", str(paths[0]), "-keyout", str(paths[1])], check=True, capture_output=True
    )
    return paths


@pytest.mark.parametrize("runtime", HTTP)
def test_tls_is_verified(
    runtime: str,
    certificate: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = Models()
    models.add("grid", colour_grid(tmp_path / "grid.onnx", "yolov8", 32, 16))
    server = HttpServer(models, certificate)
    where = Server(url=f"https://127.0.0.1:{server.port}", model="grid", timeout_s=60)
    try:
        with pytest.raises(RemoteError, match="certificate verify failed"):
            open_remote_session(runtime, where)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert open_remote_session(runtime, where).run(PICTURE)
    finally:
        server.stop()


def test_cameras_share_a_session(served: Served) -> None:
    session = served.open()
    wanted = session.run(PICTURE)["output0"]
    found: list[NDArray[np.float32]] = []

    def run() -> None:
        found.extend(session.run(PICTURE)["output0"] for _ in range(10))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 80
    assert all(np.array_equal(one, wanted) for one in found)
