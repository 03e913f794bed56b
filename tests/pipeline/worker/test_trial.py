"""A camera tried before it is added: what it shows, or the words of why it does not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import redis
from typer.testing import CliRunner

from mirante.faults import FaultCode
from mirante.keys import key
from pipeline.cli.app import make_app
from pipeline.config.camera import Camera
from pipeline.config.settings import Settings
from pipeline.control.credentials import Credentials
from pipeline.control.registry import Registry, connect
from pipeline.control.rpc import NoAnswerError, RefusedError
from pipeline.control.trials import Trial, ask_trial, pack, unpack
from pipeline.gst.camera import CameraRunner
from pipeline.worker import trials as trial_module
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.trials import run_trial
from pipeline.worker.worker import Worker
from tests.support.images import decode_image, read_image
from tests.support.live_site import until

pytestmark = [pytest.mark.rtsp, pytest.mark.usefixtures("tried_here")]

PASSWORD = "h0rse/battery staple"
ENCODED = "h0rse%2Fbattery%20staple"
NO_STAGES: dict[str, Any] = {"stages": []}
BOXES: dict[str, Any] = {"stages": [{"model": "test-boxes"}]}


def tried(url: str, **keys: Any) -> Trial:
    return run_trial("gate", Camera.model_validate({"url": url} | NO_STAGES | keys))


def decoded(trial: Trial) -> np.ndarray[Any, Any]:
    """The image, RGB."""
    return cv2.cvtColor(decode_image(trial.jpeg), cv2.COLOR_BGR2RGB)


def test_a_large_picture_is_sent_smaller_and_says_its_own_size() -> None:
    trial = tried("test://?size=1920x1080&fps=5", width=1920, height=1080)
    assert trial.size == (1920, 1080)
    assert decoded(trial).shape == (720, 1280, 3)


def test_a_file(clips: tuple[Path, Path]) -> None:
    trial = tried(str(clips[0]))
    assert trial.connected, trial.words
    assert (trial.size, trial.fps, trial.codec) == ((320, 180), 10.0, "H.264")


def test_a_picture_is_blurred_as_the_camera_asks() -> None:
    trial = tried("test://?size=640x360&fps=20", **BOXES, preview={"blur": ["red"]})
    assert trial.connected, trial.words
    label = next(each for each in trial.objects if each.label == "red")
    left, top, width, height = (int(edge) for edge in label.bbox)
    inside = decoded(trial)[top : top + height, left : left + width].astype(np.uint8)
    plain = decoded(tried("test://?size=640x360&fps=20", **BOXES))
    assert inside.size
    assert cv2.Laplacian(inside, cv2.CV_64F).var() < 0.2 * cv2.Laplacian(plain, cv2.CV_64F).var()


def test_a_class_to_blur_that_nothing_finds_is_refused() -> None:
    trial = tried("test://", **BOXES, preview={"blur": ["rde"]})
    assert not trial.connected
    assert trial.words == (
        'preview.blur[0]: "rde" — expected a class that a stage of the camera finds; '
        'did you mean "red"?'
    )


def test_a_camera_with_a_password(server: Any) -> None:
    rate = None
    for _ in range(5):
        trial = tried(server.url("locked", "viewer:right@"))
        assert trial.connected, trial.words
        assert (trial.size, trial.codec) == ((320, 180), "H.264")
        rate = trial.fps
        if rate == pytest.approx(10, abs=4):
            break  # counted, as the stream does not say; a busy machine may stand still meanwhile
    assert rate == pytest.approx(10, abs=4)


@pytest.mark.parametrize(
    ("mount", "login", "code", "words"),
    [
        (
            "locked",
            "viewer:wrong@",
            "unauthorised",
            "401 unauthorised: the camera refuses this user or password",
        ),
        (
            "locked",
            "",
            "login-required",
            "401 unauthorised: the camera asks for a user and password",
        ),
        ("nothing", "", "not-found", '404 not found: the camera has no path "/nothing"'),
    ],
)
def test_what_an_rtsp_camera_refuses(
    server: Any, mount: str, login: str, code: str, words: str
) -> None:
    trial = tried(server.url(mount, login))
    assert (trial.connected, trial.code, trial.words) == (False, code, words)
    assert trial.jpeg == b""


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_port_where_nothing_listens(scheme: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        trial = tried(f"{scheme}://127.0.0.1:{port}/x")
    assert trial.words == f"connection refused: nothing listens at 127.0.0.1:{port}"
    assert trial.code == "refused"
    assert not trial.connected


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (
            "rtsp://no-such-host.invalid/x",
            "unknown-host",
            'unknown host "no-such-host.invalid"',
        ),
        (__file__, "unreadable", "not a readable video: "),
        ("file:/no/such.mp4", "no-file", "no such file: /no/such.mp4"),
        ("/dev/video97", "no-device", "no device /dev/video97: not plugged in?"),
        ("test://?fbs=3", "invalid", 'test:// fbs="3": expected keys size and fps'),
    ],
)
def test_what_is_wrong_is_said_at_once(url: str, code: str, words: str) -> None:
    trial = tried(url)
    assert trial.code == code
    assert trial.words.startswith(words)
    assert not trial.connected


def test_a_camera_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "ANSWER_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        trial = tried(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x")
    assert not trial.connected
    # A busy machine may be late, by far less than without that limit.
    assert trial.words in {f"no image came within {n} s" for n in range(20)}
    assert trial.code == "no-video"


def test_packed_and_back() -> None:
    trial = Trial(connected=True, words="ja, já", seconds=1.5, size=(2, 1), jpeg=b"\xff\xd8\0")
    assert unpack(pack(trial)) == trial
    for data in (b"", b"\0\0", b"\0\0\0\x09{}", pack(trial)[:9]):
        with pytest.raises(ValueError, match=r".+"):
            unpack(data)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def redis_url(home: Path, redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture
def worker(redis_url: str, server: Any) -> Iterator[Worker]:
    """A worker that runs, with a camera of its configuration."""
    cameras = {"locked": {"url": server.url("locked", "viewer:right@"), **NO_STAGES}}
    made = Worker(Settings(cameras=cast(Any, cameras)), redis_url, CameraRunner)
    stop = threading.Event()
    thread = threading.Thread(target=made.run, args=(stop,))
    thread.start()
    yield made
    stop.set()
    thread.join()


def everything(url: str) -> bytes:
    """All keys and values of a Redis."""
    with redis.Redis.from_url(url) as client:
        names = cast(list[bytes], client.keys())
        return b"".join(name + cast(bytes, client.dump(name) or b"") for name in names)


class Watch:
    """Looks at everything in Redis and what its clients sent while something runs."""

    def __init__(self, url: str) -> None:
        self._seen: list[bytes] = []
        self._url, self._stop, self._hears = url, threading.Event(), threading.Event()
        self._monitor = redis.Redis.from_url(url)
        self._threads = [threading.Thread(target=each) for each in (self._look, self._listen)]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        assert self._hears.wait(60)
        return self

    @property
    def seen(self) -> bytes:
        return b"\n".join(self._seen)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with redis.Redis.from_url(self._url) as client:
            client.ping()  # something for the monitor to hear
        for thread in self._threads:
            thread.join()
        self._monitor.close()

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            self._seen.append(everything(self._url))

    def _listen(self) -> None:
        with self._monitor.monitor() as monitor:
            self._hears.set()
            while not self._stop.is_set():
                self._seen.append(str(monitor.next_command()["command"]).encode())


def test_through_a_worker_no_password_is_ever_in_redis(
    server: Any, redis_url: str, worker: Worker, home: Path
) -> None:
    credentials = Credentials()
    url = server.url("locked", f"viewer:{ENCODED}@")
    with Watch(redis_url) as watch, connect(redis_url) as client:
        wrong = ask_trial(client, credentials, "new", {"url": url, **NO_STAGES}, "main")
        url = server.url("locked", "viewer:right@") + f"?token={ENCODED}"
        right = ask_trial(client, credentials, "new", {"url": url, **NO_STAGES}, "main")
    assert wrong.words == "401 unauthorised: the camera refuses this user or password"
    assert right.connected, right.words
    assert b"mirante:asked" in watch.seen
    assert b"credential:new-" in watch.seen
    for secret in (b"battery", b":right@"):
        assert secret not in watch.seen
    assert json.loads((home / "credentials.json").read_text()) == {}


def test_a_cameras_own_password_outlives_its_trial(
    server: Any, redis_url: str, worker: Worker
) -> None:
    with connect(redis_url) as client:
        registry = Registry(client)
        registry.put("gate", {"url": server.url("locked", "viewer:right@"), **NO_STAGES})
        spec = registry.cameras()["gate"].spec
        for keys in (spec, {}):
            trial = ask_trial(client, Credentials(), "gate", keys, "main")
            assert trial.connected, trial.words
        assert registry.resolved("gate").url.password == "right"


def test_what_a_worker_cannot_try(redis_url: str, worker: Worker) -> None:
    with connect(redis_url) as client:
        for keys, words in (
            ({"url": "test://", "fsp": 3}, 'fsp: unknown key — did you mean "fps"?'),
            ({"url": "rtsp://u:${NO_SUCH_VARIABLE}@h/x"}, "NO_SUCH_VARIABLE to be set"),
            ({}, 'no camera "new"'),
        ):
            with pytest.raises(RefusedError) as refused:
                ask_trial(client, Credentials(), "new", keys, "main")
            assert words in str(refused.value)
        with pytest.raises(NoAnswerError):
            ask_trial(client, Credentials(), "new", {"url": "test://"}, "nobody", timeout_s=0.5)


Invoke = Callable[..., Any]


@pytest.fixture
def mirante() -> Invoke:
    def invoke(*words: str) -> Any:
        return CliRunner().invoke(make_app(), ["camera", "test", *words])

    return invoke


def test_the_command_tries_from_here(mirante: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "seen.jpg"
    done = mirante("test://?size=640x360&fps=20", "--model", "test-boxes", "--save", str(file))
    assert done.exit_code == 0, done.output
    first, second, *objects = done.stdout.splitlines()
    assert first.startswith("connected: the first image came after")
    assert second == "640x360, 20 fps"
    assert len(objects) >= 2
    assert read_image(file).shape == (360, 640, 3)
    done = mirante("file:/no/such.mp4", "--model", "test-boxes")  # or the better ones are sought
    said = f"no such file: /no/such.mp4\n{FaultCode.NO_FILE.advice}\n"
    assert (done.exit_code, done.stderr) == (1, said)


def test_the_command_tries_through_a_worker(
    mirante: Invoke, redis_url: str, worker: Worker
) -> None:
    words = ("test://", "--model", "test-boxes", "--worker", "main", "--redis", redis_url)
    done = mirante(*words)
    assert done.exit_code == 0, done.output
    with connect(redis_url) as client:
        until(lambda: client.exists(key("locked", "status")))
    done = mirante("--camera", "locked", "--redis", redis_url)
    assert done.exit_code == 0, done.output
    assert "H.264" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected URL, or --camera NAME"),
        (["test://", "--camera", "gate"], "expected URL, or --camera NAME"),
        (["--camera", "gate", "--model", "street"], "expected without --model and --worker"),
        (["--camera", "gate", "--rotate", "90"], "--camera: expected without --rotate"),
    ],
)
def test_options_that_do_not_go_together(mirante: Invoke, words: list[str], said: str) -> None:
    done = mirante(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
