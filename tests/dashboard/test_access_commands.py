from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from dashboard.access.commands import add_access_commands, make_first_admin
from dashboard.access.passwords import is_password
from pipeline.config.dashboard import Dashboard
from tests.support import ROOT
from tests.support.guarded_app import PASSWORD, TOKENS, USERS, browser, log_in, make_access

PAGE = (ROOT / "docs/security.md").read_text()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def run(*arguments: str, typed: str = "") -> Result:
    app = typer.Typer()
    add_access_commands(app)
    return CliRunner().invoke(app, list(arguments), input=typed)


def test_a_hash_logs_in(tmp_path: Path) -> None:
    hashed = run("hash", typed=f"{PASSWORD}\n").stdout.strip()
    assert is_password(PASSWORD, hashed)
    access = make_access(tmp_path, users={"eva": {"password": hashed}})
    assert access.log_in("eva", PASSWORD)
    assert not access.log_in("eva", PASSWORD + "x")


def test_at_a_terminal_a_password_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def prompt(_text: str, **how: object) -> str:
        asked.append(how)
        return PASSWORD

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("dashboard.access.commands.sys.stdin", _Terminal())
    app = typer.Typer()
    add_access_commands(app)
    with pytest.raises(SystemExit) as left:
        app(["hash"], standalone_mode=True)
    assert left.value.code == 0
    assert asked == [{"hide_input": True, "confirmation_prompt": True, "err": True}]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_user_of_a_dashboard_that_runs(home: Path) -> None:
    client = browser(make_access(home))
    added = run("user", "eva", "--role", "admin", typed=f"{PASSWORD}\n")
    assert added.output == 'user "eva" may log in as admin\n'
    assert log_in(client, "eva").json()["role"] == "admin"
    assert PASSWORD not in (home / "dashboard.json").read_text()
    run("user", "eva", typed="another password\n")
    assert client.get("/api/v1/who").status_code == 401
    assert log_in(client, "eva").status_code == 401
    assert log_in(client, "eva", "another password").json()["role"] == "viewer"
    run("user", "ben", typed=f"{PASSWORD}\n")
    assert run("user", "eva", "--remove").output == 'user "eva" is removed\n'
    assert client.get("/api/v1/who").status_code == 401


def test_rights_are_given_and_changed_alone(home: Path, tmp_path: Path) -> None:
    added = run(
        "user", "tom", "--role", "operator", "--cameras", "yard-*, gate", typed=f"{PASSWORD}\n"
    )
    assert added.output == 'user "tom" may log in as operator of yard-*, gate\n'
    client = browser(make_access(home))
    assert log_in(client, "tom").json()["cameras"] == ["yard-*", "gate"]
    run("user", "tom", typed=f"{PASSWORD}\n")  # a new password gives no right
    assert log_in(client, "tom").json()["cameras"] == ["yard-*", "gate"]
    assert client.get("/api/v1/session").json()["role"] == "viewer"
    kept = run("user", "tom", "--role", "operator", "--cameras", "*", "--keep")
    assert kept.output == 'user "tom" may log in as operator\n'
    assert client.get("/api/v1/session").json()["role"] is None  # the session has ended
    assert log_in(client, "tom").json()["role"] == "operator"
    token = run("token", "nvr", "--cameras", "yard-*", "--cameras", "gate").stdout.strip()
    assert run("token", "nvr", "--role", "admin", "--keep").exit_code == 0
    machine = make_access(home).by_token(token)
    assert machine is not None
    assert (machine.role, machine.cameras) == ("admin", ("yard-*", "gate"))
    header = {"user": "Remote-User", "groups": "G", "rights": {"staff": {"cameras": ["yard-*"]}}}
    config = tmp_path / "street.yaml"
    config.write_text(json.dumps({"dashboard": {"proxies": ["::1"], "trusted_header": header}}))
    listed = run("users", "--config", str(config)).stdout.splitlines()
    assert [re.split(r"  +", line.strip()) for line in listed][1:] == [
        ["tom", "user", "operator", "*", "command"],
        ["nvr", "token", "admin", "yard-*, gate", "command"],
        ["staff", "group", "viewer", "yard-*", "configuration"],
    ]


def test_a_token_is_shown_once(home: Path) -> None:
    made = run("token", "grafana")
    token = made.stdout.strip()
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert len(token) == 43
    assert digest in made.stderr
    assert token not in made.stderr
    kept = (home / "dashboard.json").read_text()
    assert token not in kept
    assert json.loads(kept)["tokens"] == {"grafana": {"sha256": digest, "role": "viewer"}}
    client = browser(make_access(home), headers={"Authorization": f"Bearer {token}"})
    assert client.get("/api/v1/who").json() == "grafana viewer token"
    elsewhere = make_access(home / "x", tokens={"g": {"sha256": digest, "role": "admin"}})
    assert elsewhere.by_token(token)
    assert run("token", "grafana", "--remove").exit_code == 0
    assert client.get("/api/v1/who").status_code == 401


def test_who_may_look(home: Path, tmp_path: Path) -> None:
    run("user", "eva", typed=f"{PASSWORD}\n")
    run("token", "grafana", "--role", "admin")
    config = tmp_path / "street.yaml"
    config.write_text(json.dumps({"dashboard": {"users": USERS}, "cameras": {}}))
    assert [line.split() for line in run("users").stdout.splitlines()] == [
        ["name", "kind", "role", "cameras", "from"],
        ["eva", "user", "viewer", "*", "command"],
        ["grafana", "token", "admin", "*", "command"],
    ]
    listed = run("users", "--config", str(config))
    assert [line.split() for line in listed.stdout.splitlines()][1:] == [
        ["anna", "user", "admin", "*", "configuration"],
        ["ben", "user", "viewer", "*", "configuration"],
        ["eva", "user", "viewer", "*", "command"],
        ["grafana", "token", "admin", "*", "command"],
    ]
    assert "argon2" not in listed.output


@pytest.mark.parametrize(
    ("arguments", "typed", "words"),
    [
        (["user", "eva"], "short\n", "password: expected at least 8 characters"),
        (["user", "eva"], "", "password: expected at least 8 characters"),
        (["user", "../eva"], PASSWORD, 'NAME: "../eva" — expected letters'),
        (["token", ""], "", 'NAME: "" — expected letters'),
        (
            ["token", "x", "--role", "root"],
            "",
            '--role: "root" — expected viewer, operator or admin',
        ),
        (
            ["user", "x", "--cameras", "a,b*[0]"],
            PASSWORD,
            "--cameras: expected the name of a camera",
        ),
        (["user", "x", "--keep"], "", 'no user "x" was added by command'),
        (["user", "eva", "--remove"], "", 'no user "eva" was added by command'),
        (["token", "eva", "--remove"], "", 'no token "eva" was added by command'),
    ],
)
def test_refused(home: Path, arguments: list[str], typed: str, words: str) -> None:
    result = run(*arguments, typed=typed)
    assert isinstance(result.exception, ValueError)
    assert words in str(result.exception)
    assert not make_access(home).users()


def test_the_first_admin_is_made_once(home: Path, tmp_path: Path) -> None:
    del home  # where it is logged
    access = make_access(tmp_path)
    password = make_first_admin(access)
    assert password is not None
    assert len(password) >= 20
    assert access.log_in("admin", password)
    assert access.users()["admin"].role == "admin"
    access.check_binding("0.0.0.0")
    assert make_first_admin(access) is None
    assert make_first_admin(make_access(tmp_path / "x", users=USERS)) is None
    assert make_first_admin(make_access(tmp_path / "y", tokens=TOKENS))  # nobody can log in by it
    assert password not in access.store.path.read_text()


def test_commands_of_the_page(home: Path) -> None:
    lines = re.findall(r"^\./run dashboard (.*?) *(?:#.*)?$", PAGE, re.MULTILINE)
    assert len(lines) == 10
    (home / "street.yaml").write_text("cameras: {}\n")
    for line in lines:
        arguments = shlex.split(line.replace("street.yaml", str(home / "street.yaml")))
        result = run(*arguments, typed=f"{PASSWORD}\n")
        assert result.exit_code == 0, (line, result.output)


def test_configurations_of_the_page(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    merged = {
        key: value for text in blocks for key, value in yaml.safe_load(text)["dashboard"].items()
    }
    assert set(merged) == {
        *("users", "host", "names", "https", "proxies", "trusted_header"),
        "local_targets",
    }
    access = make_access(tmp_path, **merged)
    access.check_binding(Dashboard.model_validate(merged).host)
    assert access.users()["anna"].role == "admin"
