"""Messages as receivers want them: a preset makes the request of an event's text and image."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from bridges.item_json import published
from bridges.webhook.multipart import Part, form
from mirante.events import Event

Preset = Literal["json", "ntfy", "slack", "telegram", "discord"]
JSON, TEXT, JPEG, FILE = "application/json", "text/plain; charset=utf-8", "image/jpeg", "event.jpg"


class Message(NamedTuple):
    """What is to be said of an event.

    Attributes:
        event: itself.
        title: a few words: which camera.
        text: what happened; by the hook's template where it has one.
        has_template: ``text`` is by the hook's own template.
        media: Content-Type of a template's text for the preset ``json``.
        image_url: a link to its image; empty without one.
        jpeg: its image; empty where none is attached.
        chat: that it is for (Telegram).
    """

    event: Event
    title: str
    text: str
    has_template: bool = False
    media: str = JSON
    image_url: str = ""
    jpeg: bytes = b""
    chat: str = ""


class Request(NamedTuple):
    """A request as it is sent by POST.

    Attributes:
        url: where to.
        headers: Content-Type and those of the preset.
        body: byte for byte.
    """

    url: str
    headers: dict[str, str]
    body: bytes


def _plain(url: str, said: Message) -> Request:
    """The event's JSON as it is in Redis, or what the template makes; an image is a second part."""
    body = said.text.encode() if said.has_template else _event_json(said)
    if not said.jpeg:
        return Request(url, {"Content-Type": said.media}, body)
    media, body = form(Part("event", body, said.media), Part("image", said.jpeg, JPEG, FILE))
    return Request(url, {"Content-Type": media}, body)


def _ntfy(url: str, said: Message) -> Request:
    """https://docs.ntfy.sh/publish/: to the topic's address; an attached file is the body."""
    headers = {"Title": _rfc2047(said.title), "Tags": _rfc2047(said.event.kind)}
    if said.jpeg:
        headers |= {"Content-Type": JPEG, "Filename": FILE, "Message": _rfc2047(said.text)}
        return Request(url, headers, said.jpeg)
    if said.image_url:
        headers["Attach"] = said.image_url
    return Request(url, headers | {"Content-Type": TEXT}, said.text.encode())


def _slack(url: str, said: Message) -> Request:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: links only."""
    title, text = (html.escape(each, quote=False) for each in (said.title, said.text))
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{title}*\n{text}"[:3000]}}
    ]
    if said.image_url:
        blocks.append({"type": "image", "image_url": said.image_url, "alt_text": said.text[:2000]})
    return _of_json(url, {"text": f"{title}: {text}", "blocks": blocks})


def _telegram(url: str, said: Message) -> Request:
    """https://core.telegram.org/bots/api: sendMessage and sendPhoto of the bot at ``url``."""
    text = f"{said.title}\n{said.text}"
    if said.jpeg:
        media, body = form(
            Part("chat_id", said.chat.encode()),
            Part("caption", text[:1024].encode()),
            Part("photo", said.jpeg, JPEG, FILE),
        )
        return Request(f"{url}/sendPhoto", {"Content-Type": media}, body)
    if said.image_url:
        keys = {"chat_id": said.chat, "photo": said.image_url, "caption": text[:1024]}
        return _of_json(f"{url}/sendPhoto", keys)
    return _of_json(f"{url}/sendMessage", {"chat_id": said.chat, "text": text[:4096]})


def _discord(url: str, said: Message) -> Request:
    """https://discord.com/developers/docs/resources/webhook#execute-webhook: nobody is pinged."""
    embed: dict[str, Any] = {"title": said.title[:256], "description": said.text[:4096]}
    if said.jpeg or said.image_url:
        embed["image"] = {"url": f"attachment://{FILE}" if said.jpeg else said.image_url}
    keys: dict[str, Any] = {"embeds": [embed], "allowed_mentions": {"parse": []}}
    if not said.jpeg:
        return _of_json(url, keys)
    keys["attachments"] = [{"id": 0, "filename": FILE}]
    media, body = form(
        Part("payload_json", _json(keys), JSON), Part("files[0]", said.jpeg, JPEG, FILE)
    )
    return Request(url, {"Content-Type": media}, body)


REQUESTS: dict[Preset, Callable[[str, Message], Request]] = {
    "json": _plain,
    "ntfy": _ntfy,
    "slack": _slack,
    "telegram": _telegram,
    "discord": _discord,
}
"""By preset, what makes the request to a URL of a message."""


def _event_json(said: Message) -> bytes:
    """The event, and ``image_url`` where there is a link to its image."""
    event = published(said.event)
    if not said.image_url:
        return msgspec.json.encode(event)
    return msgspec.json.encode(msgspec.to_builtins(event) | {"image_url": said.image_url})


def _of_json(url: str, keys: dict[str, Any]) -> Request:
    return Request(url, {"Content-Type": JSON}, _json(keys))


def _json(keys: dict[str, Any]) -> bytes:
    return json.dumps(keys, ensure_ascii=False, separators=(",", ":")).encode()


def _rfc2047(text: str) -> str:
    """A header's text: as RFC 2047 has it where it is more than a line of ASCII without blanks
    around it.
    """
    if text.isascii() and text.isprintable() and text == text.strip():
        return text
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="
