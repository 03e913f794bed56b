"""``mirante dashboard hash, user, token, users``: who may log in to the dashboard."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.console import print_table

if TYPE_CHECKING:
    from dashboard.access import Access
    from dashboard.access.store import Store, StoredToken, StoredUser
    from pipeline.config.dashboard import Role

LEAST_PASSWORD = 8  # characters
AUDIT_S = 1.0  # to wait for Redis
TOKEN_BYTES, PASSWORD_BYTES = 32, 15
FIRST_ADMIN = "admin"

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the user or the machine.")]
RoleOption = Annotated[
    str | None,
    typer.Option(
        metavar="viewer|operator|admin",
        help="Viewers look; operators also pause and test cameras, change zones and swap models; "
        "admins do all. By default viewer; with --keep, as it was.",
    ),
]
CamerasOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAMES",
        help="Cameras that exist for them: names or patterns such as 'yard-*', with commas "
        "between. By default as it was, and at first '*', which is all.",
    ),
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the password or token; change rights.")]
Remove = Annotated[bool, typer.Option("--remove", help="Remove it; what it has open ends at once.")]


def add_access_commands(app: typer.Typer) -> None:
    """Adds the commands to ``mirante dashboard``."""
    app.command("hash")(hash_)
    app.command()(user)
    app.command()(token)
    app.command()(users)


def hash_() -> None:
    """Ask for a password and print its argon2 hash, for dashboard.users.NAME.password.

    If standard input is not a terminal, its first line is the password.
    """
    typer.echo(_hashed())


def user(
    name: Name,
    role: RoleOption = None,
    cameras: CamerasOption = None,
    keep: Keep = False,
    remove: Remove = False,
) -> None:
    """Add a user who may log in, or give one a new password and rights. Needs no restart."""
    _check_name(name)
    said = _said(role, cameras)
    store = _store()
    if remove:
        _remove(store, name, "user")
        return
    from dashboard.access.store import StoredUser

    hashed = None if keep else _hashed()
    with _audited("add user", user=name) as about, store.changing() as stored:
        before = stored.users.get(name)
        if keep and before is None:
            raise _nothing("user", name)
        rights = said.over(before, keep=keep)
        about |= {"action": "change user" if before else "add user", "detail": rights.words}
        password = before.password if before and hashed is None else hashed or ""
        stored.users[name] = StoredUser(password, rights.role, rights.cameras)
    typer.echo(f'user "{name}" may log in as {rights.words}')


def token(
    name: Name,
    role: RoleOption = None,
    cameras: CamerasOption = None,
    keep: Keep = False,
    remove: Remove = False,
) -> None:
    """Create a token for a machine and print it once; an earlier one of that name is revoked."""
    import hashlib
    import secrets

    _check_name(name)
    said = _said(role, cameras)
    store = _store()
    if remove:
        _remove(store, name, "token")
        return
    from dashboard.access.store import StoredToken

    made = secrets.token_urlsafe(TOKEN_BYTES)
    digest = hashlib.sha256(made.encode()).hexdigest()
    with _audited("add token", token=name) as about, store.changing() as stored:
        before = stored.tokens.get(name)
        if keep and before is None:
            raise _nothing("token", name)
        rights = said.over(before, keep=keep)
        about |= {"action": "change token" if before else "add token", "detail": rights.words}
        kept = before.sha256 if before and keep else digest
        stored.tokens[name] = StoredToken(kept, rights.role, rights.cameras)
    if keep:
        typer.echo(f'token "{name}" is kept, as {rights.words}')
        return
    typer.echo(made)
    typer.echo(
        f'token "{name}" ({rights.words}), shown this once; send it as Authorization: Bearer '
        f"TOKEN. Its SHA-256, for dashboard.tokens.{name}.sha256 elsewhere: {digest}",
        err=True,
    )


def users(
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG", help="Configuration file with the key dashboard."),
    ] = None,
) -> None:
    """List users, tokens and groups, their roles and cameras, and where they come from."""
    from dashboard.access import Access
    from pipeline.config.load import load_settings
    from pipeline.config.settings import Settings

    settings = load_settings(config) if config else Settings()
    access = Access(settings.dashboard)
    rows = [
        [name, kind, account.role, ", ".join(account.cameras), account.where]
        for kind, accounts in (("user", access.users()), ("token", access.tokens()))
        for name, account in sorted(accounts.items())
    ]
    if (header := settings.dashboard.trusted_header) is not None:
        rows += [
            [name, "group", rights.role, ", ".join(rights.cameras), "configuration"]
            for name, rights in header.rights.items()
        ]
    print_table(["name", "kind", "role", "cameras", "from"], rows)


def make_first_admin(access: Access) -> str | None:
    """Makes the user ``admin`` where nobody may log in yet; a machine's token is no login.

    Returns:
        the password, to be shown once; None where somebody may log in already.

    Raises:
        AccessError: the file cannot be used.
    """
    import secrets

    from dashboard.access.passwords import hash_password
    from dashboard.access.store import StoredUser

    if access.users():
        return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    hashed = hash_password(password)
    first = _audited("add user", user=FIRST_ADMIN, detail="admin, the first")
    with first, access.store.changing() as stored:
        if stored.users:  # another process was first
            return None
        stored.users[FIRST_ADMIN] = StoredUser(hashed, "admin")
    return password


@contextmanager
def _audited(action: str, **about: str) -> Iterator[dict[str, str]]:
    """Log a change of users or tokens; on the page too, where a Redis is known that answers."""
    import redis

    from pipeline.control.audit import by_command
    from pipeline.control.registry import connect
    from pipeline.control.worker_file import known_address

    with ExitStack() as stack:
        client, address = None, known_address()
        with suppress(redis.RedisError, OSError, ValueError):
            client = stack.enter_context(connect(address, AUDIT_S)) if address else None
        yield stack.enter_context(by_command(action, client, **about))


def _store() -> Store:
    from dashboard.access.store import Store

    return Store()


def _hashed() -> str:
    from dashboard.access.passwords import hash_password

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < LEAST_PASSWORD:
        raise ValueError(f"password: expected at least {LEAST_PASSWORD} characters")
    return hash_password(password)


def _remove(store: Store, name: str, kind: str) -> None:
    about = {"user" if kind == "user" else "token": name}
    with _audited(f"remove {kind}", **about), store.changing() as stored:
        if (stored.users if kind == "user" else stored.tokens).pop(name, None) is None:
            raise _nothing(kind, name)
    typer.echo(f'{kind} "{name}" is removed')


def _nothing(kind: str, name: str) -> ValueError:
    return ValueError(
        f'no {kind} "{name}" was added by command; see: mirante dashboard users'
        " (those of a configuration are changed there)"
    )


def _check_name(name: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from pipeline.config.dashboard import UserName

    try:
        TypeAdapter(UserName).validate_python(name)
    except ValidationError:
        raise ValueError(
            f'NAME: "{name}" — expected letters, digits and _ . @ - (at most 64), a letter or '
            "digit first"
        ) from None


@dataclass(frozen=True)
class _Rights:
    """The role and cameras that the options name; None for what they leave out."""

    role: Role | None
    cameras: tuple[str, ...] | None

    def over(self, before: StoredUser | StoredToken | None, *, keep: bool) -> _Complete:
        """Return them, those that were not said as they were: never more than before."""
        from pipeline.config.dashboard import ALL_CAMERAS

        role = before.role if before and keep else "viewer"
        cameras = before.cameras if before else ALL_CAMERAS
        return _Complete(self.role or role, self.cameras or cameras)


@dataclass(frozen=True)
class _Complete:
    role: Role
    cameras: tuple[str, ...]

    @property
    def words(self) -> str:
        """``operator of yard-*``; the role alone where that is of all cameras."""
        return self.role if "*" in self.cameras else f"{self.role} of {', '.join(self.cameras)}"


def _said(role: str | None, cameras: list[str] | None) -> _Rights:
    from typing import get_args

    from pipeline.config.dashboard import ALL_CAMERAS, EVERY, Role, read_pattern

    known = {each: each for each in get_args(Role)}
    if role is not None and role not in known:
        raise ValueError(f'--role: "{role}" — expected viewer, operator or admin')
    try:
        named = [read_pattern(each.strip()) for text in cameras or () for each in text.split(",")]
    except ValueError as error:
        raise ValueError(f"--cameras: {error}") from None
    limits = ALL_CAMERAS if EVERY in named else tuple(named)
    return _Rights(known[role] if role else None, limits or None)
