"""A hook's request for an event."""

from __future__ import annotations

import time
from collections.abc import Callable

from bridges.webhook.cloudevents import cloud_headers, header_value
from bridges.webhook.options import Hook
from bridges.webhook.presets import REQUESTS, Message, Request
from bridges.webhook.signature import signed_headers, signing_key
from bridges.webhook.words import event_sentence
from mirante.client.items import ReceivedEvent
from mirante.events import Event
from pipeline.config.image_links import ImageLinks
from pipeline.control.image_links import link

TEST_WORDS = "a test from Mirante; nothing happened"


class Composer:
    """Makes the requests of one hook.

    Args:
        hook: where to, and as what.
        links: of images; None without.
        clock: Unix seconds.
    """

    def __init__(
        self, hook: Hook, links: ImageLinks | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._hook, self._links, self._clock = hook, links, clock
        self._url = hook.url.get_secret_value()
        if hook.preset == "telegram":
            self._url = self._url.rstrip("/")
        secret = hook.secret
        self._key = None if secret is None else signing_key(secret.get_secret_value())
        self._headers = {name: value.get_secret_value() for name, value in hook.headers.items()}

    def request(self, event: Event, jpeg: bytes = b"") -> Request:
        """Return the request for an event, signed now.

        Args:
            event: what happened.
            jpeg: its image, to be attached; empty for none.

        Raises:
            BadTemplateError: the template fails with this event.
        """
        hook, image_url = self._hook, self._link(event)
        made = hook.made
        text = event_sentence(event) if made is None else made.render(event, image_url)
        said = Message(
            event,
            event.camera,
            text,
            made is not None,
            hook.media,
            image_url,
            jpeg,
            hook.chat or "",
        )
        url, headers, body = REQUESTS[hook.preset](self._url, said)
        if hook.preset == "json" and hook.cloudevents:
            headers = headers | cloud_headers(event)
        if self._key is not None:
            identity = header_value(event.id)
            headers = headers | signed_headers(self._key, identity, int(self._clock()), body)
        return Request(url, headers | self._headers, body)

    def _link(self, event: Event) -> str:
        """The link to an event's image; empty where it has none, or none is wanted."""
        links, is_wanted = self._links, self._hook.image == "link"
        if (
            links is None
            or not is_wanted
            or not isinstance(event, ReceivedEvent)
            or not event.image
        ):
            return ""
        until = int(self._clock() + links.hours * 3600)
        secret = links.secret.get_secret_value()
        return link(links.dashboard, secret, event.camera, event.entry_id, until)


def trial_event(now_s: float) -> Event:
    """Return an event by which an address is tried; its kind is ``test``."""
    return Event(
        id=f"test-{int(now_s * 1000)}", camera="test", kind="test", ts=now_s, reason=TEST_WORDS
    )
