"""Passwords and their argon2 hashes."""

from __future__ import annotations

import secrets
from functools import cache

import argon2

_hasher = argon2.PasswordHasher()


def hash_password(password: str) -> str:
    """argon2id, with the parameters that the library recommends."""
    return _hasher.hash(password)


def is_password(password: str, hashed: str | None) -> bool:
    """Return whether ``hashed`` is of ``password``; False, as slowly, where there is no hash."""
    try:
        _hasher.verify(of_nobody() if hashed is None else hashed, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return hashed is not None


def is_hash(text: str) -> bool:
    """Return whether argon2 can read it."""
    try:
        argon2.extract_parameters(text)
    except argon2.exceptions.InvalidHashError:
        return False
    return True


@cache
def of_nobody() -> str:
    """Return the hash that unknown users' passwords are compared with."""
    return hash_password(secrets.token_urlsafe())
