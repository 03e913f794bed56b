from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.camera import Camera
from pipeline.config.load import load_settings, parse_settings
from pipeline.config.messages import ConfigError
from pipeline.config.settings import Settings
from pipeline.config.stages.model import ModelStage
from pipeline.config.stages.own import PythonStage
from tests.support import ROOT
from tests.support.certificate import Authority


def test_empty_file_is_all_defaults() -> None:
    assert parse_settings("").model_dump() == Settings().model_dump()


def test_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRANTE_REDIS__RING_S", "5")
    monkeypatch.setenv("MIRANTE_METRICS__PORT", "null")
    settings = parse_settings("redis: {ring_s: 7, ring_mib: 9}")
    assert (settings.redis.ring_s, settings.redis.ring_mib) == (5, 9)
    assert settings.metrics.port is None


def test_cameras_inherit_what_they_do_not_say() -> None:
    settings = parse_settings(
        """
        defaults: {fps: 5, preview: {quality: 50}, stages: [{model: test-boxes}]}
        cameras:
          gate: {url: test://, fps: 10, preview: {fps: 2}}
          yard: {url: test://, stages: []}
        """
    )
    gate, yard = settings.cameras["gate"], settings.cameras["yard"]
    assert (gate.fps, yard.fps) == (10, 5)
    assert (gate.preview.fps, gate.preview.quality) == (2, 50)
    assert gate.stages == [ModelStage(model="test-boxes")]
    assert yard.stages == []


def test_a_camera_of_which_nothing_is_said_runs_the_standard_detector() -> None:
    (gate,) = parse_settings("cameras: {gate: {url: 'test://'}}").cameras.values()
    assert gate.stages is None, "its worker chooses"
    (named,) = parse_settings("cameras: {gate: {url: 'test://', stages: null}}").cameras.values()
    assert named == gate
    text = "defaults: {stages: [{model: road}]}\ncameras: {gate: {url: 'test://', stages: null}}"
    assert parse_settings(text).cameras["gate"].stages is None


def test_on_is_a_key_and_off_a_word() -> None:
    settings = parse_settings(
        """
        cameras:
          gate:
            url: test://
            loop: yes
            stages: [{model: test-boxes}, {model: test-lane, on: red}]
        """
    )
    assert settings.cameras["gate"].stages == [
        ModelStage(model="test-boxes"),
        ModelStage(model="test-lane", on="red"),
    ]
    assert settings.cameras["gate"].loop is True


def test_variables_in_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "p@ss/word:#1%")
    monkeypatch.setenv("RATE", "12.5")
    settings = parse_settings(
        """
        cameras:
          gate: {url: 'rtsp://admin:${GATE_PASSWORD}@10.0.0.5/live', fps: '${RATE}'}
          yard: {url: 'file:/clips/$${x}${NOT_SET:-}.mp4', fps: '${RATE:-3}', width: '${W:-320}'}
        """
    )
    gate = settings.cameras["gate"]
    assert (gate.url.username, gate.url.password) == ("admin", "p@ss/word:#1%")
    assert gate.url.bare == "rtsp://10.0.0.5/live"
    assert gate.fps == 12.5
    yard = settings.cameras["yard"]
    assert (yard.url.path, yard.fps, yard.width) == ("/clips/${x}.mp4", 12.5, 320)


def test_secrets_are_shown_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    settings = parse_settings(
        """
        redis: {url: 'redis://me:${SECRET}@10.0.0.1:6379/0'}
        cameras:
          gate: {url: 'rtsp://admin:hunter2@10.0.0.5/live?password=${SECRET}'}
        """
    )
    shown = (str(settings), repr(settings), settings.model_dump_json(), str(settings.model_dump()))
    assert not [text for text in shown if "hunter2" in text]
    assert "hunter2" in (settings.redis.address() or "")


@pytest.mark.parametrize(
    ("redis", "address"),
    [
        ("{url: redis://h}", "redis://:a%40b%20@h"),
        ("{url: redis://me@h}", "redis://me:a%40b%20@h"),
        ("{url: redis://me:own@h}", "redis://me:own@h"),
        ("{url: redis://h, password: own}", "redis://:own@h"),
    ],
)
def test_a_password_of_a_file(redis: str, address: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("a@b \nand no more\n")
    settings = parse_settings(f"redis: {redis[:-1]}, password_file: {file}}}")
    assert settings.redis.address() == address
    assert "a@b" not in repr(settings)


@pytest.mark.parametrize(
    ("redis", "address"),
    [
        ("{}", None),
        ("{url: redis://h:1/2}", "redis://h:1/2"),
        ("{url: redis://h:1/2, password: a@b}", "redis://:a%40b@h:1/2"),
        ("{url: redis://me@h, password: x}", "redis://me:x@h"),
        ("{url: unix:///run/redis.sock, password: x}", "unix://:x@/run/redis.sock"),
        ("{url: 'unix:///run/redis.sock?db=3'}", "unix:///run/redis.sock?db=3"),
        ("{url: rediss://h, ca_file: ca.pem}", "rediss://h?ssl_ca_certs=ca.pem"),
        (
            "{url: rediss://h, cert_file: own.pem, key_file: own.key}",
            "rediss://h?ssl_certfile=own.pem&ssl_keyfile=own.key",
        ),
        ("{url: rediss://h, cert_file: both.pem}", "rediss://h?ssl_certfile=both.pem"),
        (
            "{url: 'rediss://h?db=1', check_hostname: no}",
            "rediss://h?db=1&ssl_check_hostname=false",
        ),
    ],
)
def test_redis_address(
    redis: str, address: str | None, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(certificates)
    assert parse_settings(f"redis: {redis}").redis.address() == address


@pytest.mark.parametrize(
    ("redis", "line"),
    [
        (
            "url: rediss://h, ca_file: own.key",
            'ca_file: "own.key" — expected a file of certificates',
        ),
        (
            "url: rediss://h, ca_file: /",
            'ca_file: "/" — expected the path of a file, not of a folder',
        ),
        ("url: rediss://h, cert_file: no.pem", 'cert_file: "no.pem" — expected the path of a file'),
        (
            "url: rediss://h, cert_file: own.pem",
            "key_file: null — expected a file with a key in PEM",
        ),
        (
            "url: rediss://h, key_file: own.key",
            'key_file: "own.key" — expected null, as redis.cert_f',
        ),
        (
            "url: rediss://h, cert_file: own.pem, key_file: ca.key",
            'key_file: "ca.key" — expected the key of the certificate beside it',
        ),
        (
            "url: rediss://h, cert_file: own.pem, key_file: locked.key",
            'key_file: "locked.key" — expected a key without a passphrase',
        ),
        ("url: redis://h, ca_file: ca.pem", 'ca_file: "ca.pem" — expected null, as redis.url does'),
        (
            "url: unix:///s, check_hostname: false",
            "check_hostname: false — expected true, as redis.url",
        ),
        ("ca_file: ca.pem", 'ca_file: "ca.pem" — expected null, as redis.url is null'),
        ("url: 'rediss://:pw@h?ssl_ca_certs=no.pem'", "expected the path of a file that exists"),
        ("url: 'redis://:pw@h?db=first'", "db=first: expected the number of a database"),
        ("url: 'redis://:pw@h?passwrod=1'", 'unknown option; did you mean "password"?'),
        ("url: redis://h/first", "expected redis://host:port/number of a database"),
        ("url: unix://run/redis.sock", "expected unix:///path/of/the/socket"),
    ],
)
def test_what_redis_cannot_be_reached_by(
    redis: str, line: str, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(certificates)
    with pytest.raises(ConfigError) as caught:
        parse_settings(f"redis: {{{redis}}}")
    (said,) = caught.value.lines
    assert said.startswith("redis.")
    assert line in said
    assert "pw" not in said


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of an authority, a certificate and its key, apart, together and locked."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = Authority(folder).sign("own")
    (folder / "both.pem").write_text(certificate.read_text() + key.read_text())
    (folder / "locked.key").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    return folder


def test_models_of_an_own_folder_go_before_the_zoo(tmp_path: Path) -> None:
    zoo = ROOT / "engines" / "zoo"
    for file in ("test-boxes.yaml", "test-boxes.onnx"):
        (tmp_path / file.replace("test-boxes.yaml", "mine.yaml")).write_bytes(
            (zoo / file).read_bytes()
        )
    settings = parse_settings(
        f"""
        models: {tmp_path}
        cameras:
          gate: {{url: test://, stages: [{{model: mine}}, {{model: test-lane}}]}}
        """
    )
    models = [s.model for s in settings.cameras["gate"].stages or () if isinstance(s, ModelStage)]
    assert models == [str(tmp_path / "mine.yaml"), "test-lane"]


def test_own_stage_is_found_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", __import__("sys").path.copy())
    (tmp_path / "own_stage_beside.py").write_text(
        "class Blur:\n    def __init__(self, sigma: float = 1.0) -> None: ...\n"
    )
    file = tmp_path / "mirante.yaml"
    stage = "{python: 'own_stage_beside:Blur', options: {sigma: 2}}"
    file.write_text(f"cameras:\n  gate: {{url: test://, stages: [{stage}]}}\n")
    stages = load_settings(file).cameras["gate"].stages
    assert stages == [PythonStage(python="own_stage_beside:Blur", options={"sigma": 2})]


def test_complete_gives_a_camera_the_defaults() -> None:
    settings = Settings(defaults={"fps": 3})
    camera = Camera.model_validate({"url": "test://", "width": 320})
    completed = settings.complete(camera)
    assert (completed.fps, completed.width) == (3, 320)
