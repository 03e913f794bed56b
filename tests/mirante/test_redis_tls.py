"""TLS to a real server, and what is said where a client and a port do not fit."""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import mirante
import mirante.aio
from mirante.keys import key
from mirante.redis_url import RedisUrl
from plugins.outbox.outbox import Outbox
from tests.support import ROOT
from tests.support.certificate import Authority
from tests.support.ports import free_port
from tests.support.redis_child import RedisChild
from tests.support.simulated_camera import frame

ALL = ("on", ">s3cr3t", "~*", "&*", "+@all")
pytestmark = pytest.mark.redis


class Site:
    """A server with a plain and a TLS port, and the certificates around it."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.other = Authority(_made(folder / "other"))
        self.certificates = {
            "right": self.authority.sign("right"),
            "other-name": self.authority.sign("other-name", "DNS:redis.elsewhere"),
            "expired": self.authority.sign("expired", days=-1),
        }
        self.tls_port, self.plain_port = free_port(), free_port()
        certificate, own_key = map(str, self.certificates["right"])
        options = ("--tls-port", str(self.tls_port), "--tls-auth-clients", "no")
        files = ("--tls-cert-file", certificate, "--tls-key-file", own_key)
        trust = ("--tls-ca-cert-file", str(self.authority.file))
        self.server = RedisChild(folder, *options, *files, *trust, port=self.plain_port).start()

    def show(self, certificate: str, *, asks: bool) -> None:
        """Use a certificate from now on, and ask clients for theirs."""
        own, own_key = self.certificates[certificate]
        facts = ("tls-cert-file", own, "tls-key-file", own_key)
        asking = ("tls-auth-clients", "yes" if asks else "no")
        self.server.client().execute_command("CONFIG", "SET", *map(str, facts), *asking)

    def url(self, *options: str) -> RedisUrl:
        query = "&".join((f"ssl_ca_certs={self.authority.file}", *options))
        return RedisUrl(f"rediss://me:s3cr3t@127.0.0.1:{self.tls_port}/1?{query}")

    def client_files(self, certificate: str) -> tuple[str, str]:
        own, own_key = self.certificates[certificate]
        return f"ssl_certfile={own}", f"ssl_keyfile={own_key}"


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="mr") as short:
        made = Site(Path(short))
        made.server.client().execute_command("ACL", "SETUSER", "me", *ALL)
        yield made
        made.server.kill()


def words(url: RedisUrl) -> set[str]:
    """What both kinds of client say of a server that they cannot use."""

    async def try_async() -> str:
        client = url.async_client()
        try:
            await client.execute_command("PING")
        except redis.RedisError as error:
            return url.explain(error)
        finally:
            await client.aclose()
        raise AssertionError("it answered")

    with pytest.raises(redis.RedisError) as caught:
        url.client().execute_command("PING")
    said = {url.explain(caught.value), asyncio.run(try_async())}
    assert not [text for text in said if "s3cr3t" in text]
    return said


NAME_OFF = "ssl_check_hostname=false"


@pytest.mark.parametrize(
    ("certificate", "asks", "options", "expected"),
    [
        ("other-name", False, (), "is not for 127.0.0.1"),
        ("expired", False, (), "has expired"),
        ("right", True, (), "asks for a client certificate: redis.cert_file and redis.key_file"),
        ("right", True, ("expired",), "refuses the client certificate"),
    ],
)
def test_a_certificate_that_does_not_do_is_told_in_words(
    site: Site, certificate: str, asks: bool, options: tuple[str, ...], expected: str
) -> None:
    site.show(certificate, asks=asks)
    url = site.url(*(part for name in options for part in site.client_files(name)))
    for _ in range(2):  # the alert of TLS 1.3 may get lost: the words are the same
        (said,) = words(url)
        assert expected in said


def test_an_unknown_authority_is_told_in_words(site: Site) -> None:
    site.show("right", asks=False)
    address = f"rediss://me:s3cr3t@127.0.0.1:{site.tls_port}"
    for url in (RedisUrl(address), RedisUrl(f"{address}?ssl_ca_certs={site.other.file}")):
        (said,) = words(url)
        assert "is not trusted; name the authority that signed it (redis.ca_file" in said


def test_the_wrong_kind_of_port_is_told_in_words(site: Site) -> None:
    site.show("right", asks=False)
    (said,) = words(RedisUrl(f"redis://127.0.0.1:{site.tls_port}"))
    assert "an address of a TLS port begins rediss://" in said
    (said,) = words(RedisUrl(f"rediss://127.0.0.1:{site.plain_port}"))
    assert "the address of a port without TLS begins redis://" in said


@pytest.mark.parametrize(
    ("certificate", "asks", "options"),
    [("right", False, ()), ("other-name", False, (NAME_OFF,)), ("right", True, ("right",))],
)
def test_results_pass_through_tls(
    site: Site,
    until: Callable[..., Any],
    certificate: str,
    asks: bool,
    options: tuple[str, ...],
) -> None:
    site.show(certificate, asks=asks)
    parts = [site.client_files(o) if o in site.certificates else (o,) for o in options]
    url = site.url(*(part for some in parts for part in some))
    outbox = Outbox(url)
    outbox.start()
    outbox.publish(frame(0))
    until(lambda: outbox.state.sent.get("gate"))
    outbox.close(2)

    async def read_async() -> int:
        async with mirante.aio.subscribe("gate", since="0", redis=url) as subscription:
            return (await anext(subscription)).seq

    with mirante.subscribe("gate", since="0", redis=url) as subscription:
        assert next(subscription).seq == 0
    assert asyncio.run(read_async()) == 0
    admin = url.client()
    assert admin.execute_command("DEL", key("gate", "detections")) == 1  # in database 1
    admin.close()


@pytest.mark.parametrize("place", ["rediss://h", "rediss+sentinel://h/main", "rediss+cluster://h"])
def test_every_kind_of_client_has_the_files(site: Site, place: str) -> None:
    query = "&".join((*site.client_files("right"), NAME_OFF))
    url = RedisUrl(f"{place}?{query}")
    for options in (url.options(1), url.async_options(1)):
        assert options["ssl_certfile"] == str(site.certificates["right"][0])
        assert options["ssl_keyfile"] == str(site.certificates["right"][1])
        assert options["ssl_check_hostname"] is False


def test_a_key_with_a_passphrase(site: Site) -> None:
    own, own_key = site.certificates["right"]
    locked = own_key.with_name("locked.key")
    lock: list[str | Path] = [
        "openssl",
        "pkey",
        "-in",
        own_key,
        "-out",
        locked,
        "-aes256",
        "-passout",
        "pass:s3cr3t",
    ]
    subprocess.run(lock, check=True)
    address = f"rediss://h?ssl_certfile={own}&ssl_keyfile={locked}"
    RedisUrl(f"{address}&ssl_password=s3cr3t")
    for given, words in (
        ("", "without a passphrase"),
        ("&ssl_password=s3cr4t", "that opens the key"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            RedisUrl(address + given)
        assert "s3cr4t" not in str(caught.value)


def test_a_socket_with_login_and_database_in_the_query(site: Site) -> None:
    query = "db=1&username=me&password=s3cr3t"
    url = RedisUrl(f"unix://{site.server.socket}?{query}")

    async def ask_async() -> bytes:
        client = url.async_client()
        try:
            return await client.execute_command("CLIENT", "LIST")
        finally:
            await client.aclose()

    with url.client() as client:
        for reply in (client.execute_command("CLIENT", "LIST"), asyncio.run(ask_async())):
            assert re.search(rb" db=1 .* user=me ", reply)
    assert "s3cr3t" not in f"{url!r}{url}"


def test_the_words_in_the_documents_are_those_that_are_said() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    table = page.partition("| Mirante says | so |")[2].partition("\n\n")[0]
    told = re.findall(r"^\| `(.+?)` \|", table, re.M)
    assert len(told) == 7
    source = "".join((ROOT / f"mirante/redis_{name}.py").read_text() for name in ("tls", "url"))
    for words in told:
        assert all(part in source for part in words.split("HOST")), words
