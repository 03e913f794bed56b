"""What a webhook's request holds: templates, signatures, CloudEvents, presets and options."""

from __future__ import annotations

import email
import email.header
import json
import re
from email.message import Message as Mail
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

import msgspec
import pytest

from bridges.webhook.cloudevents import cloud_headers, header_value
from bridges.webhook.composing import Composer, trial_event
from bridges.webhook.load import load_hooks, parse_hooks
from bridges.webhook.presets import Request
from bridges.webhook.signature import signing_key
from bridges.webhook.templates import SAMPLE, BadTemplateError, Template
from bridges.webhook.words import event_sentence
from mirante.client.items import ReceivedEvent
from mirante.events import Event, EventKind
from pipeline.config.messages import ConfigError
from pipeline.control.image_links import opens
from tests.support import ROOT

URL = "https://receiver.example/x"
SECRET = "a secret of many characters"
LINKS = {"dashboard": "https://cams.example/", "secret": "0123456789abcdef"}
JPEG = b"\xff\xd8\r\n--not a boundary\r\n\xff\xd9"
EVENT = ReceivedEvent(
    id="1763899600000-7-zone-entered-Tür",
    camera="gate",
    kind="zone-entered",
    ts=1763899667.5,
    track_id=7,
    label="person",
    zone="Tür",
    image=True,
    entry_id="1763899667500-41",
    sent=1763899667.6,
    received=1763899667.7,
)


def made(event: Event = EVENT, jpeg: bytes = b"", **hook: Any) -> Request:
    document: dict[str, Any] = {"hooks": {"x": {"url": URL} | hook}}
    if hook.get("image") == "link":
        document["links"] = LINKS
    hooks = parse_hooks(document)
    composer = Composer(hooks.hooks["x"], hooks.links, clock=lambda: 1763899700.0)
    return composer.request(event, jpeg)


def parts_of(request: Request) -> dict[str, Any]:
    """The parts of a form, as Python's own reader has them."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    whole = email.message_from_bytes(head + request.body)
    listed = [part for part in whole.get_payload() if isinstance(part, Mail)]
    return {str(part.get_param("name", header="content-disposition")): part for part in listed}


def test_the_body_is_the_event_and_the_headers_are_those_of_cloudevents() -> None:
    request = made()
    sent = msgspec.json.decode(request.body, type=Event)
    assert (sent.id, sent.zone, sent.image) == (EVENT.id, "Tür", True)
    assert not {"entry_id", "received"} & json.loads(request.body).keys()
    assert request.headers == {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "1763899600000-7-zone-entered-T%C3%BCr",
        "ce-source": "/mirante/cameras/gate",
        "ce-type": "mirante.zone-entered",
        "ce-time": "2025-11-23T12:07:47.500000Z",
        "ce-subject": "T%C3%BCr",
    }
    assert not any(name.startswith("ce-") for name in made(cloudevents=False).headers)


def test_cloudevents_values_are_escaped_as_their_binding_says() -> None:
    assert header_value("Euro € 😀") == "Euro%20%E2%82%AC%20%F0%9F%98%80"  # the binding's example
    plain = "".join(map(chr, range(0x21, 0x7F)))
    assert header_value(plain) == plain.replace("%", "%25").replace('"', "%22")
    assert unquote(header_value("a\n\x7f%41")) == "a\n\x7f%41"
    names = cloud_headers(msgspec.structs.replace(EVENT, zone="", line="")).keys()
    assert "ce-subject" not in names
    assert all(re.fullmatch("ce-[a-z0-9]{1,20}", name) for name in names)


def test_the_page_verifies_what_is_signed() -> None:
    page = (ROOT / "docs/bridges/webhooks.md").read_text()
    [source] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(source, scope)
    verify = scope["verify"]
    for jpeg in (b"", JPEG):
        request = made(jpeg=jpeg, secret=SECRET, image="attach")
        headers, body = request.headers, request.body
        assert headers["webhook-timestamp"] == "1763899700"
        assert verify(SECRET, headers, body, now=1763899700 + 299)
        assert not verify(SECRET, headers, body, now=1763899700 + 301)
        assert not verify(SECRET, headers, body + b" ", now=1763899700)
        assert not verify(SECRET + "x", headers, body, now=1763899700)
        for name, other in (("webhook-id", "1"), ("webhook-timestamp", "1763899701")):
            assert not verify(SECRET, headers | {name: other}, body, now=1763899700)
    assert "webhook-signature" not in made().headers


def test_the_file_of_the_page_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/bridges/webhooks.md").read_text()
    file = tmp_path / "hooks.yaml"
    [text] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    file.write_text(text)
    for name in ("SHOP_SECRET", "BOT_TOKEN", "LINK_SECRET"):
        monkeypatch.setenv(name, "0123456789abcdef")
    assert set(load_hooks(file).hooks) == {"shop", "phone"}


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's own libraries."""
    from bridges.webhook.signature import signed_headers

    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = signed_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_image_is_attached_or_linked() -> None:
    parts = parts_of(made(jpeg=JPEG, image="attach"))
    assert json.loads(parts["event"].get_payload(decode=True))["zone"] == "Tür"
    assert parts["image"].get_payload(decode=True) == JPEG
    assert (parts["image"].get_content_type(), parts["image"].get_filename()) == (
        "image/jpeg",
        "event.jpg",
    )
    url = json.loads(made(image="link").body)["image_url"]
    address, _, query = url.partition("?")
    assert address == "https://cams.example/api/v1/event-image"
    said = dict(pair.split("=") for pair in query.split("&"))
    until = int(said["until"])
    assert until == 1763899700 + 24 * 3600
    signed = ("gate", EVENT.entry_id, until, said["signature"])
    assert opens(LINKS["secret"], *signed, now_s=1763899700)
    assert not opens(LINKS["secret"], *signed, now_s=until)
    bare = msgspec.structs.replace(EVENT, image=False)
    assert "image_url" not in json.loads(made(bare, image="link").body)


def test_ntfy() -> None:
    request = made(preset="ntfy", image="link")
    assert (request.url, request.body.decode()) == (URL, "person entered zone Tür")
    assert request.headers["Title"] == "gate"
    assert request.headers["Attach"].startswith("https://cams.example/")
    request = made(preset="ntfy", image="attach", jpeg=JPEG)
    assert (request.body, request.headers["Filename"]) == (JPEG, "event.jpg")
    assert "Attach" not in request.headers
    [(text, charset)] = email.header.decode_header(request.headers["Message"])
    assert isinstance(text, bytes)
    assert text.decode(str(charset)) == "person entered zone Tür"
    odd = msgspec.structs.replace(EVENT, kind="Türe auf")
    for name, value in made(
        odd, JPEG, preset="ntfy", image="attach", template=" {{ event.label }} "
    ).headers.items():
        assert value.isascii(), name
        assert value == value.strip(), "HTTP has no blanks around a value"


def test_slack() -> None:
    event = msgspec.structs.replace(EVENT, zone="<!channel> & co")
    keys = json.loads(made(event, preset="slack", image="link").body)
    section, image = keys["blocks"]
    assert section["text"] == {
        "type": "mrkdwn",
        "text": "*gate*\nperson entered zone &lt;!channel&gt; &amp; co",
    }
    assert image["type"] == "image"
    assert image["image_url"].startswith("https://cams.example/")
    assert image["alt_text"]
    assert "<" not in keys["text"]


def test_telegram() -> None:
    hook: dict[str, Any] = {"preset": "telegram", "chat": -100123}
    request = made(**hook)
    assert request.url == f"{URL}/sendMessage"
    assert json.loads(request.body) == {
        "chat_id": "-100123",
        "text": "gate\nperson entered zone Tür",
    }
    request = made(jpeg=JPEG, image="attach", **hook)
    parts = parts_of(request)
    assert request.url == f"{URL}/sendPhoto"
    assert parts["photo"].get_payload(decode=True) == JPEG
    assert parts["photo"].get_filename()
    assert parts["chat_id"].get_payload() == "-100123"
    assert parts["caption"].get_payload(decode=True).decode().endswith("Tür")
    linked = json.loads(made(image="link", **hook).body)
    assert linked["photo"].startswith("https://cams.example/")
    long = msgspec.structs.replace(EVENT, reason="x" * 5000)
    assert len(json.loads(made(long, **hook).body)["text"]) == 4096


def test_discord() -> None:
    keys = json.loads(made(preset="discord").body)
    assert keys["allowed_mentions"] == {"parse": []}
    assert keys["embeds"] == [{"title": "gate", "description": "person entered zone Tür"}]
    parts = parts_of(made(preset="discord", image="attach", jpeg=JPEG))
    keys = json.loads(parts["payload_json"].get_payload(decode=True))
    assert keys["embeds"][0]["image"] == {"url": "attachment://event.jpg"}
    assert keys["attachments"] == [{"id": 0, "filename": "event.jpg"}]
    assert parts["files[0]"].get_payload(decode=True) == JPEG
    assert parts["files[0]"].get_filename() == "event.jpg"


def test_a_template_makes_the_body_or_the_text() -> None:
    body = """{"who": {{ event.label | tojson }}, "at": {{ time | tojson }},
        "n": {{ event.count | tojson }}}"""
    request = made(template=body)
    assert json.loads(request.body) == {
        "who": "person",
        "at": "2025-11-23T12:07:47.500000Z",
        "n": None,
    }
    plain = made(template="{{ event.camera }}: {{ text }}", content_type="text/plain")
    assert plain.headers["Content-Type"] == "text/plain"
    assert plain.body.decode() == "gate: person entered zone Tür"
    assert made(preset="ntfy", template="{{ event.zone }}!").body.decode() == "Tür!"
    quoted = msgspec.structs.replace(EVENT, label='a "b" <c>')
    assert json.loads(made(quoted, template=body).body)["who"] == 'a "b" <c>'


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ event.label }}\n{{ event.labl }}", "line 2: .*'labl'"),
        ("\n\n{% if %}", "line 3: "),
        ("{{ event.score + 1 }}", "line 1: with an event camera-lost: unsupported"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ cycler.__init__.__globals__ }}", "unsafe"),
        ("{{ event.update({'id': 1}) }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{% for i in range(100000000) %}{% endfor %}", "Range too big"),
        ("{% for i in range(90000) %}1234{% endfor %}", "360000 characters, expected at most"),
        ("{{ event.zone | dictsort }}", "line 1: .*'str' object has no attribute 'items'"),
        ("{% macro a() %}{{ a() }}{% endmacro %}\n{{ a() }}", "zone-entered: maximum recursion"),
        (r"{{ '\ud800' }}", "zone-entered: .*surrogates not allowed"),
    ],
)
def test_a_bad_template_is_refused_with_its_place(source: str, words: str) -> None:
    with pytest.raises(BadTemplateError, match=words):
        Template(source)


def test_a_template_that_fails_with_a_later_event_says_so() -> None:
    """The bridge goes on: the event is a dead letter."""
    template = Template("{% if event.count %}{{ event.count | dictsort }}{% endif %}")
    crowded = Event(id="1", camera="gate", kind="zone-crowded", ts=0, count=3)
    with pytest.raises(BadTemplateError, match="line 1: with an event zone-crowded: 'int'"):
        template.render(crowded)


def test_a_template_of_json_must_make_json() -> None:
    with pytest.raises(BadTemplateError, match=r"zone-entered: expected JSON.*\| tojson"):
        Template('{"a": {{ event.label }}}', is_json=True)
    assert Template("{{ event.label }}").render(SAMPLE) == "person"


def test_options_that_are_wrong_name_key_value_and_expectation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hooks.yaml"
    file.write_text(
        """\
hooks:
  a: {url: "ftp://user:hunter2@h/"}
  b: {url: http://h/, preset: teams, where: labl = x, cameras: [a b], timeout_s: 0}
  c: {url: http://h/, preset: telegram}
  d: {url: http://h/, preset: slack, image: attach}
  e: {url: http://h/, secret: hunter2}
  f: {url: http://h/, headers: {Host: x}}
  g: {url: http://h/, template: "{{ event.x }}"}
  h: {url: http://h/, content_type: text/plain}
  i: {ulr: http://h/}
  j: {url: http://h/, ca: /nowhere.pem}
"""
    )
    with pytest.raises(ConfigError) as found:
        load_hooks(file)
    lines = "\n".join(found.value.lines)
    for words in (
        'hooks.a.url: "***" — expected http://host/path or https://',
        'hooks.b.preset: "teams" — expected "json", "ntfy", "slack"',
        'hooks.b.where: "labl = x" — where: position 1: expected a field of events',
        "hooks.b.cameras: a list — camera: expected 1 to 64 letters",
        "hooks.b.timeout_s: 0 — expected a number greater than 0",
        "hooks.c.preset: telegram — expected a chat for telegram, got chat null",
        "hooks.d.image: attach — expected link or none",
        "hooks.e.secret: *** — expected 16 characters or more",
        'got "Host"',
        "hooks.g.template: line 1: with an event zone-entered: ",
        "hooks.h.content_type: expected it with a template",
        'hooks.i.ulr: unknown key — did you mean "url"?',
        'hooks.j.ca: "/nowhere.pem" — expected the path of a file that exists',
    ):
        assert words in lines, words
    assert "hunter2" not in lines
    monkeypatch.setenv("TOPIC", "hunter2")
    hook = parse_hooks({"hooks": {"p": {"url": "https://ntfy.example/${TOPIC}"}}}).hooks["p"]
    assert hook.url.get_secret_value() == "https://ntfy.example/hunter2"
    assert hook.shown == "https://ntfy.example"
    assert "hunter2" not in repr(hook)
    chat = {"url": URL, "preset": "telegram", "chat": -100123}
    assert parse_hooks({"hooks": {"p": chat}}).hooks["p"].chat == "-100123"
    wrong: tuple[tuple[Any, str], ...] = (
        ({"hooks": {}}, "hooks: a mapping — expected at least one"),
        ({"hooks": {"p" * 57: {"url": URL}}}, "expected names of up to 56 characters"),
        ({"hooks": {"p": {"url": "http://${NOWHERE_SET}"}}}, "hooks.p.url: expected the environ"),
        ({"hooks": {"p": {"url": URL, "image": "link"}}}, "hooks.p.image: link — expected links"),
    )
    for document, words in wrong:
        with pytest.raises(ConfigError, match=re.escape(words)):
            parse_hooks(document)


def test_an_event_in_a_sentence() -> None:
    def said(kind: str, **more: Any) -> str:
        return event_sentence(Event(id="1", camera="gate", kind=kind, ts=0, **more))

    assert said("object-new", label="person") == "person appeared"
    assert said("line-crossed", label="car", line="gate", direction="in") == (
        "car crossed line gate, in"
    )
    assert said("zone-crowded", zone="door", count=3) == "3 objects in zone door"
    assert said("camera-lost", reason="wrong password") == "camera lost: wrong password"
    assert said("camera:field", label="person", zone="yard", active=True) == "person (yard)"
    assert said("camera:motion", active=False, reason="it says so") == "motion ended: it says so"
    assert said("wall-climbed", label="cat") == "cat wall-climbed"
    assert [kind for kind in get_args(EventKind) if kind in said(kind)] == []  # each has words
    assert "a test from Mirante" in event_sentence(trial_event(0.0))
