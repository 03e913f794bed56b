"""Who did what, in the file, in Redis and over the API; and nothing of it that is secret."""

from __future__ import annotations

import json
import logging
import stat
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from dashboard.access.passwords import hash_password
from dashboard.audit import log as log_module
from dashboard.audit.deeds import deed_of
from dashboard.audit.log import AuditLog
from mirante.keys import AUDIT
from pipeline.cli.app import make_app as make_cli
from pipeline.control import audit
from pipeline.control.audit import Entry
from pipeline.control.registry import connect
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import Bench, serving
from tests.support.tokens import hashed

pytestmark = pytest.mark.redis

SECRETS = ("battery staple", "h0rse", "s3cret-token", "SECRETVALUE")
TOKENS: dict[str, dict[str, Any]] = {
    "ci": {"role": "admin"},
    "yard": {"role": "admin", "cameras": ["yard-*"]},
    "watch": {"role": "viewer"},
}


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer s3cret-token-{name}"}


@pytest.fixture
def site(redis_server: RedisServer, monkeypatch: Any, tmp_path: Path) -> Iterator[Bench]:
    """A dashboard with users and tokens."""
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    tokens = {name: hashed(f"s3cret-token-{name}", **rights) for name, rights in TOKENS.items()}
    users = {"anna": {"password": hash_password("battery staple 1"), "role": "admin"}}
    with serving(redis_server, tmp_path, tokens=tokens, users=users) as made:
        yield made


def logged(bench: Bench, count: int) -> list[Entry]:
    """The entries in the file, once there are so many, and the same in Redis."""
    path = bench.services.access.store.path.parent / audit.FILE

    def alike() -> list[bytes] | None:
        entries: Any = bench.redis.xrange(AUDIT)
        lines = path.read_bytes().splitlines() if path.exists() else []
        told = [json.loads(fields[b"json"]) for _, fields in entries]
        return lines if len(lines) >= count and list(map(json.loads, lines)) == told else None

    found: list[bytes] = bench.until(alike)
    return [msgspec.json.decode(line, type=Entry) for line in found]


def brief(entry: Entry) -> tuple[object, ...]:
    target = entry.camera or entry.user or entry.model
    return entry.who, entry.how, entry.role, entry.action, target, entry.result, entry.code


def test_what_is_done_over_the_api_is_logged_with_its_result(site: Bench) -> None:
    http, ci, watch = site.http, bearer("ci"), bearer("watch")
    began_s = time.time()
    url = "rtsp://ana:h0rse@192.0.2.9/x?password=SECRETVALUE"
    http.post("/api/v1/cameras", json={"name": "yard-1", "url": url, "fps": 5}, headers=ci)
    http.patch("/api/v1/cameras/yard-1", json={"fps": "x", "pasword": "SECRETVALUE"}, headers=ci)
    http.post("/api/v1/cameras/yard-1/pause", headers=watch)
    http.post("/api/v1/models/swap", json={"model": "street", "to": "yolox"}, headers=ci)
    http.delete("/api/v1/cameras/yard-1", headers=ci)
    http.get("/api/v1/cameras", headers=ci)
    found = logged(site, 5)
    assert [brief(entry) for entry in found] == [
        ("ci", "token", "admin", "add camera", "yard-1", "ok", 201),
        ("ci", "token", "admin", "change camera", "yard-1", "refused", 422),
        ("watch", "token", "viewer", "pause camera", "yard-1", "refused", 403),
        ("ci", "token", "admin", "swap model", "street", "refused", 409),
        ("ci", "token", "admin", "remove camera", "yard-1", "ok", 200),
    ]
    assert found[0].detail == "url rtsp://***@192.0.2.9/x?password=***; keys fps"
    assert found[2].words.startswith("a viewer may view")
    assert found[3].detail == "to yolox"
    assert {entry.address for entry in found} == {"127.0.0.1"}
    assert began_s - 1 <= found[0].at <= time.time() + 1


def test_logins_and_refusals_are_logged_and_no_secret_with_them(site: Bench) -> None:
    http = site.http
    for user, password in (
        ("anna", "h0rse"),
        ("h0rse", "battery staple 1"),  # the password, in the wrong field
        ("anna", "battery staple 1"),
    ):
        http.post("/api/v1/session", json={"user": user, "password": password})
    http.post("/api/v1/session", json={"pasword": "h0rse"})
    http.delete("/api/v1/session", headers={"Origin": str(site.http.base_url)})
    http.cookies.clear()
    http.get("/api/v1/cameras", headers={"Authorization": "Bearer SECRETVALUE"})
    http.get("/api/v1/audit", headers=bearer("watch"))
    http.get("/api/v1/cameras/gate", headers=bearer("yard"))
    http.get("/api/v1/cameras")  # no credentials: nobody tried anything
    found = logged(site, 8)
    assert [brief(entry) for entry in found] == [
        ("", "nobody", "", "log in", "anna", "refused", 401),
        ("", "nobody", "", "log in", "(unknown)", "refused", 401),
        ("anna", "session", "admin", "log in", "anna", "ok", 200),
        ("", "nobody", "", "log in", "(unknown)", "refused", 422),
        ("anna", "session", "admin", "log out", "", "ok", 204),
        ("", "nobody", "", "GET a path", "", "refused", 401),
        ("watch", "token", "viewer", "read the audit log", "", "refused", 403),
        ("yard", "token", "admin", "view camera", "gate", "refused", 404),
    ]
    path = site.services.access.store.path.parent / audit.FILE
    text = path.read_text() + repr(site.redis.xrange(AUDIT))
    assert not [secret for secret in SECRETS if secret in text]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_admins_read_it_in_pages_and_those_of_some_cameras_only_of_these(site: Bench) -> None:
    for number in range(5):
        body = {"name": f"{'yard' if number % 2 else 'gate'}-{number}", "url": "test://"}
        site.http.post("/api/v1/cameras", json=body, headers=bearer("ci")).raise_for_status()
    logged(site, 5)

    def read(who: str, **query: Any) -> dict[str, Any]:
        answer = site.http.get("/api/v1/audit", params=query, headers=bearer(who))
        return dict(answer.raise_for_status().json())

    first = read("ci", limit=2)
    assert [entry["camera"] for entry in first["entries"]] == ["gate-4", "yard-3"]
    second = read("ci", limit=2, before=first["next"])
    assert [entry["camera"] for entry in second["entries"]] == ["gate-2", "yard-1"]
    last = read("ci", limit=2, before=second["next"])
    assert ([entry["camera"] for entry in last["entries"]], last["next"]) == (["gate-0"], None)
    own = read("yard")
    assert [entry["camera"] for entry in own["entries"]] == ["yard-3", "yard-1"]
    assert "gate" not in json.dumps(own)
    site.redis.xadd(AUDIT, {"json": "[" * 9000})
    site.redis.xadd(AUDIT, {"other": "x"})
    assert len(read("ci")["entries"]) == 5
    assert site.http.get("/api/v1/audit?before=x", headers=bearer("ci")).status_code == 422


def test_the_same_refusal_again_and_again_is_two_entries(
    site: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1000.0]  # which stands still: on a busy machine few requests take longer than SAME_S
    clock = SimpleNamespace(monotonic=lambda: now_s[0], time=time.time)
    monkeypatch.setattr(log_module, "time", clock)
    monkeypatch.setattr(log_module, "SAME_S", 0.5)
    for _ in range(20):
        site.http.post("/api/v1/cameras/gate/pause", headers=bearer("watch"))
    assert [entry.times for entry in logged(site, 1)] == [1]
    now_s[0] += 0.5
    assert [entry.times for entry in logged(site, 2)] == [1, 19]


def test_neither_a_full_disk_nor_a_dead_redis_is_waited_for(
    tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    monkeypatch.setattr(log_module, "RETRY_S", 0.05)
    monkeypatch.setattr(log_module, "CLOSE_S", 60)
    caplog.set_level(logging.INFO)
    folder = tmp_path / "home"
    folder.write_text("a file where the folder should be")
    clients = [connect("redis://127.0.0.1:1")]
    written = AuditLog(folder / audit.FILE, lambda: clients[-1])
    took_s = []
    for number in range(50):
        began_s = time.monotonic()
        written.put(entry(number))
        took_s.append(time.monotonic() - began_s)
    assert statistics.median(took_s) < 0.02, "all of them waited"
    while len(caplog.records) < 2:
        time.sleep(0.01)
    time.sleep(0.3)
    assert len(caplog.records) == 2, "each is said once"
    folder.unlink()
    with connect(redis_server.url) as client:
        clients.append(client)
        written.close()
        lines = (folder / audit.FILE).read_bytes().splitlines()
        assert [json.loads(line)["camera"] for line in lines] == [f"c{n}" for n in range(50)]
        assert client.xlen(AUDIT) == 50
    assert len([r for r in caplog.records if "written again" in r.getMessage()]) == 2


def entry(number: int) -> Entry:
    return Entry(at=1.0, who="a", how="token", action="x", result="ok", camera=f"c{number}")


def test_the_file_is_only_added_to_and_may_be_rotated(tmp_path: Path) -> None:
    path = tmp_path / audit.FILE
    audit.append(path, [entry(1)])
    with path.open("ab") as cut:
        cut.write(b'{"at": 1.0, "wh')  # as a full disk leaves it
    audit.append(path, [entry(2)])
    path.rename(tmp_path / "audit.jsonl.1")
    audit.append(path, [entry(3)])
    old = (tmp_path / "audit.jsonl.1").read_bytes().splitlines()
    assert [json.loads(line)["camera"] for line in (old[0], old[2])] == ["c1", "c2"]
    assert json.loads(path.read_bytes())["camera"] == "c3"
    (tmp_path / "link").symlink_to("/dev/null")
    with pytest.raises(OSError):
        audit.append(tmp_path / "link", [entry(4)])


def test_commands_log_what_they_change(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    monkeypatch.setenv("MIRANTE_REDIS_URL", redis_server.url)
    run, cli = CliRunner(), make_cli()
    url = "rtsp://ana:h0rse@192.0.2.9/x"
    run.invoke(cli, ["camera", "add", "gate", url])
    run.invoke(cli, ["camera", "pause", "gate"])
    run.invoke(cli, ["camera", "remove", "gat"])
    run.invoke(cli, ["dashboard", "user", "ben", "--cameras", "yard-*"], input="battery staple 2\n")
    made = run.invoke(cli, ["dashboard", "token", "ci", "--role", "admin"]).stdout.splitlines()[0]
    run.invoke(cli, ["dashboard", "token", "ci", "--remove"])
    run.invoke(cli, ["dashboard", "user", "nobody", "--remove"])
    text = (tmp_path / audit.FILE).read_text()
    found = [json.loads(line) for line in text.splitlines()]
    told = [
        (one["action"], one.get("camera") or one.get("user") or one.get("token"), one["result"])
        for one in found
    ]
    assert told == [
        ("add camera", "gate", "ok"),
        ("pause camera", "gate", "ok"),
        ("remove camera", "gat", "failed"),
        ("add user", "ben", "ok"),
        ("add token", "ci", "ok"),
        ("remove token", "ci", "ok"),
        ("remove user", "nobody", "failed"),
    ]
    assert found[0]["detail"] == "url rtsp://***@192.0.2.9/x"
    assert found[3]["detail"] == "viewer of yard-*"
    assert {(one["how"], bool(one["who"])) for one in found} == {("local", True)}
    with connect(redis_server.url) as client:
        entries: Any = client.xrange(AUDIT)
    assert [json.loads(fields[b"json"]) for _, fields in entries] == found
    assert not [secret for secret in (*SECRETS, made) if secret in text]


@pytest.mark.parametrize(
    ("method", "path", "body", "deed"),
    [
        ("POST", "/api/v1/cameras", b"[1", {"action": "add camera"}),
        ("POST", "/api/v1/cameras", b"[" * 60_000, {"action": "add camera"}),
        ("POST", "/api/v1/cameras", b'{"name": "a b"}', {"action": "add camera"}),
        (
            "PATCH",
            "/api/v1/cameras/gate",
            b'{"url": "rtsp://a:b/c@d", "view": "rtsp://u:p@h/x"}',
            {
                "action": "change camera",
                "camera": "gate",
                "detail": "url (not an address); view rtsp://***@h/x",
            },
        ),
        ("DELETE", "/api/v1/x\n\x1b", b"", {"action": "DELETE a path", "detail": "/api/v1/x??"}),
        (
            "POST",
            "/api/v1/cameras/gate/wake",
            b'{"seconds": 30}',
            {"action": "wake camera", "camera": "gate"},
        ),
        (
            "POST",
            "/api/v1/stream/add",
            b'{"value": {"camera_id": "gate", "camera_url": "rtsp://u:p@h/x"}}',
            {"action": "add camera", "camera": "gate", "detail": "url rtsp://***@h/x"},
        ),
        (
            "POST",
            "/api/v1/stream/remove",
            b'{"event": {"camera_id": "gate"}}',
            {"action": "remove camera", "camera": "gate"},
        ),
        ("POST", "/api/v1/stream/add", b'{"value": 3}', {"action": "add camera"}),
        ("GET", "/api/v1/results/gate/latest", b"", {"action": "view camera", "camera": "gate"}),
        (
            "POST",
            "/api/v1/models/swap",
            b'{"model": "a", "to": null, "worker": "w"}',
            {"action": "swap model", "model": "a", "worker": "w", "detail": "to what ran before"},
        ),
        (
            "POST",
            "/api/v1/bridges/test",
            b'{"bridge": "webhook-a"}',
            {"action": "test bridge", "detail": "webhook-a"},
        ),
    ],
)
def test_requests_in_words(method: str, path: str, body: bytes, deed: dict[str, str]) -> None:
    assert deed_of(method, path, body) == deed
