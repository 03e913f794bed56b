"""Addresses that never show their credentials, and failures in words."""

import logging
import socket
import ssl

import pytest
import redis

from mirante.redis_url import RedisUrl

SECRET = "s3cr3t%2Fpw"


def test_an_address_without_credentials_is_shown_as_it_is() -> None:
    assert str(RedisUrl("redis://h:1/2")) == "redis://h:1/2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"redis://bob:{SECRET}@h:1/2", "redis://***@h:1/2"),
        (f"rediss://:{SECRET}@h?ssl_cert_reqs=none", "rediss://***@h"),
        (f"unix://bob:{SECRET}@/run/r.sock?db=3", "unix://***@/run/r.sock"),
        (f"unix:///run/r.sock?password={SECRET}", "unix://***@/run/r.sock"),
        (f"redis://bob:{SECRET}@[::1]:7", "redis://***@[::1]:7"),
    ],
)
def test_credentials_are_not_shown(text: str, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    url = RedisUrl(text)
    assert str(url) == shown
    caplog.set_level(logging.DEBUG)
    logging.getLogger("x").debug("%s %r %s", url, url, {"url": url})
    for out in (repr(url), f"{url}", caplog.text, url.explain(redis.RedisError(f"x {SECRET} y"))):
        assert "s3cr3t" not in out
        assert "bob" not in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://h", "expected redis://, rediss://, unix://, redis.sentinel"),
        ("localhost:6379", "expected redis://, rediss://, unix://, redis.sentinel"),
        ("redis:///0", "expected a host"),
        ("unix://", "expected unix:///path"),
        ("unix://run/redis.sock", "expected unix:///path"),
        (f"redis://h/first?password={SECRET}", "number of a database"),
        (f"redis://h?db=first&password={SECRET}", "db=first: expected the number"),
        (f"redis://h?ssl_ca_certs=x&password={SECRET}", "ssl_ca_certs: expected an address that"),
        (f"rediss://h?ssl_ca_certs=/no/x.pem&password={SECRET}", "=/no/x.pem: expected the path"),
        (f"rediss://h?ssl_keyfile=/x&password={SECRET}", "expected ssl_certfile with it"),
        (f"rediss://h?ssl_check_hostname=maybe&password={SECRET}", "expected true or false"),
        (f"redis://bob:12?{SECRET}@h", "behind '\\?', which inside a password is written %3F"),
        (f"redis://h?passwort={SECRET}", 'passwort: unknown option; did you mean "password"'),
        (f"redis://bob:s3cr3t/@h:1{SECRET}", "%2F"),
        (f"redis://h:{SECRET}", "port is no number"),
    ],
)
def test_a_bad_address_is_refused_without_showing_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        RedisUrl(text)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def distrust(code: int, words: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, words
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (caused(redis.ConnectionError("x"), ConnectionRefusedError()), "connection refused"),
        (caused(redis.ConnectionError("x"), FileNotFoundError()), "no such socket"),
        (caused(redis.ConnectionError("x"), PermissionError()), "may not open the socket"),
        (caused(redis.ConnectionError("x"), socket.gaierror()), "unknown host"),
        (caused(redis.ConnectionError("x"), ssl.SSLCertVerificationError()), "not trusted"),
        (caused(redis.ConnectionError("x"), distrust(66, "CA key too weak")), "CA key too weak"),
        (caused(redis.ConnectionError("x"), distrust(9, "not yet valid")), "clock right"),
        (caused(redis.ConnectionError("x"), ssl.SSLError()), "no TLS"),
        (redis.TimeoutError("Timeout reading from socket"), "does not answer"),
        (redis.BusyLoadingError("Redis is loading the dataset in memory"), "loading its data"),
        (redis.ResponseError("MISCONF Redis is configured to save RDB"), "cannot save"),
        (redis.ResponseError("NOREPLICAS Not enough good replicas"), "too few replicas"),
        (redis.ResponseError("EXECABORT Transaction discarded because of: OOM command"), "maxmem"),
        (redis.ConnectionError("max number of clients reached"), "no room for another client"),
        (redis.ConnectionError("DENIED Redis is running in protected mode"), "protected mode"),
        (redis.ResponseError("NOAUTH HELLO must be called with"), "asks for a password"),
        (redis.ResponseError("WRONGTYPE Operation against a key"), "no stream"),
        (redis.ResponseError("unknown command 'EVAL', with args beginning"), "no command EVAL: it"),
        (redis.ResponseError("unknown command `EVAL`, with args beginning"), "no command EVAL: it"),
        (redis.ResponseError("something else"), "ResponseError: something else"),
    ],
)
def test_each_failure_has_its_own_words(error: Exception, words: str) -> None:
    text = RedisUrl(f"redis://bob:{SECRET}@h:1").explain(error)
    assert text.startswith("Redis redis://***@h:1: ")
    assert words in text
