"""What may stand behind the question mark of a Redis address."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mirante.nearest import nearest
from mirante.tls_files import check_certificates, check_key

SECRET = {
    *("password", "username", "ssl_password"),
    *("sentinel_password", "sentinel_username"),
}
_YES_OR_NO = {"yes", "no", "true", "false", "1", "0"}
_PLAIN = {
    *("db", "username", "password", "client_name", "protocol", "max_connections"),
    *("socket_timeout", "socket_connect_timeout", "socket_read_size", "socket_keepalive"),
    *("retry_on_timeout", "health_check_interval"),
}
_TLS = {
    *("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "ssl_password"),
    *("ssl_cert_reqs", "ssl_ca_path", "ssl_ca_data", "ssl_min_version", "ssl_ciphers"),
    *("ssl_include_verify_flags", "ssl_exclude_verify_flags"),
}


def check_options(options: Mapping[str, str], is_tls: bool) -> None:
    """Check the options of an address, and the files that they name.

    Raises:
        ValueError: naming the option, what was expected and, where it is no secret, the value.
    """
    known = _PLAIN | _TLS if is_tls else _PLAIN
    for name in options:
        if name in _TLS and not is_tls:
            raise ValueError(f"{name}: expected an address that begins rediss://, for TLS")
        if name not in known:
            raise ValueError(f"{_shown(name, options)}; {nearest(name, sorted(known))}")
    for name, check in _CHECKS.items():
        if name in options:
            _named(name, check, options[name])
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if certificate is None and key is not None:
        raise ValueError("ssl_keyfile: expected ssl_certfile with it")
    if certificate is not None:
        name = "ssl_keyfile" if key else "ssl_certfile"
        password = options.get("ssl_password")
        _named(name, lambda path: check_key(certificate, path, password), key or certificate)


def _shown(name: str, options: Mapping[str, str]) -> str:
    """Return the words for an unknown option, which may be what is left of a password."""
    if any("@" in name + value for name, value in options.items()):
        return "unknown option behind '?', which inside a password is written %3F"
    return f"{name}: unknown option"


def _named(name: str, check: Callable[[str], None], value: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"{name}={value}: {error}") from None


def _check_database(value: str) -> None:
    if not value.isdecimal():
        raise ValueError("expected the number of a database, 0 or more")


def _check_yes_or_no(value: str) -> None:
    if value.lower() not in _YES_OR_NO:
        raise ValueError("expected true or false")


def _check_trust(value: str) -> None:
    if value not in {"none", "optional", "required"}:
        raise ValueError("expected required, optional or none")


_CHECKS: dict[str, Callable[[str], None]] = {
    "db": _check_database,
    "ssl_check_hostname": _check_yes_or_no,
    "ssl_cert_reqs": _check_trust,
    "ssl_ca_certs": check_certificates,
    "ssl_certfile": check_certificates,
}
