"""``mirante dashboard hash, user, token, users``: who may log in to the dashboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.console import print_table

if TYPE_CHECKING:
    from dashboard.access import Access
    from dashboard.access.store import Store

LEAST_PASSWORD = 8  # characters
TOKEN_BYTES, PASSWORD_BYTES = 32, 15
FIRST_ADMIN = "admin"
ROLES = ("viewer", "admin")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the user or the machine.")]
RoleOption = Annotated[
    str, typer.Option(metavar="viewer|admin", help="Viewers look; admins change cameras.")
]
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


def user(name: Name, role: RoleOption = "viewer", remove: Remove = False) -> None:
    """Add a user who may log in, or give one a new password and role. Needs no restart."""
    _check(name, role)
    store = _store()
    if remove:
        _remove(store, name, "user")
        return
    from dashboard.access.store import StoredUser

    hashed = _hashed()
    with store.changing() as stored:
        stored.users[name] = StoredUser(hashed, role)  # type: ignore[arg-type] # checked above
    typer.echo(f'user "{name}" may log in as {role}')


def token(name: Name, role: RoleOption = "viewer", remove: Remove = False) -> None:
    """Create a token for a machine and print it once; an earlier one of that name is revoked."""
    import hashlib
    import secrets

    _check(name, role)
    store = _store()
    if remove:
        _remove(store, name, "token")
        return
    from dashboard.access.store import StoredToken

    made = secrets.token_urlsafe(TOKEN_BYTES)
    digest = hashlib.sha256(made.encode()).hexdigest()
    with store.changing() as stored:
        stored.tokens[name] = StoredToken(digest, role)  # type: ignore[arg-type] # checked above
    typer.echo(made)
    typer.echo(
        f'token "{name}" ({role}), shown this once; send it as Authorization: Bearer TOKEN. '
        f"Its SHA-256, for dashboard.tokens.{name}.sha256 elsewhere: {digest}",
        err=True,
    )


def users(
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG", help="Configuration file with the key dashboard."),
    ] = None,
) -> None:
    """List users and tokens, their roles, and where they come from."""
    from dashboard.access import Access
    from pipeline.config.load import load_settings
    from pipeline.config.settings import Settings

    settings = load_settings(config) if config else Settings()
    access = Access(settings.dashboard)
    rows = [
        [name, kind, account.role, account.where]
        for kind, accounts in (("user", access.users()), ("token", access.tokens()))
        for name, account in sorted(accounts.items())
    ]
    print_table(["name", "kind", "role", "from"], rows)


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
    with access.store.changing() as stored:
        if stored.users:  # another process was first
            return None
        stored.users[FIRST_ADMIN] = StoredUser(hashed, "admin")
    return password


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
    with store.changing() as stored:
        found = (stored.users if kind == "user" else stored.tokens).pop(name, None)
    if found is None:
        raise ValueError(
            f'no {kind} "{name}" was added by command; see: mirante dashboard users'
            " (those of a configuration are removed there)"
        )
    typer.echo(f'{kind} "{name}" is removed')


def _check(name: str, role: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from pipeline.config.settings import UserName

    try:
        TypeAdapter(UserName).validate_python(name)
    except ValidationError:
        raise ValueError(
            f'NAME: "{name}" — expected letters, digits and _ . @ - (at most 64), a letter or '
            "digit first"
        ) from None
    if role not in ROLES:
        raise ValueError(f'--role: "{role}" — expected viewer or admin')
