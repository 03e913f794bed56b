"""One hook as a bridge: a lane for each camera, whose events are sent until they are taken."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from heapq import heappop, heappush

import redis

from bridges.parcel import AwayError, Parcel
from bridges.webhook.composing import Composer, trial_event
from bridges.webhook.options import Hook
from bridges.webhook.posting import AT_ONCE, Answer, Poster
from bridges.webhook.templates import BadTemplateError
from mirante.backoff import Backoff
from mirante.client.items import ReceivedEvent
from mirante.client.plan import SubscribedKind
from mirante.keys import camera_of
from mirante.redis_url import RedisUrl
from pipeline.config.image_links import ImageLinks
from pipeline.control.event_images import event_image

log = logging.getLogger("mirante.bridge")

_LIMITED = 429


@dataclass
class _Lane:
    """One camera's events, in order.

    Attributes:
        backoff: of its tries.
        waiting: what was not taken yet; the first is being sent, or has its next try in the queue.
        words: why the first is to be tried again; empty where it was not tried.
        down_s: since when nothing was taken; None while all is.
    """

    backoff: Backoff
    waiting: deque[Parcel] = field(default_factory=deque)
    words: str = ""
    down_s: float | None = None


class HookBridge:
    """Carries events to one address. Each camera has a lane: one whose event is not taken, or that
    is slow, delays itself alone, as its next try waits in a queue and not in a thread.

    Args:
        name: of the bridge.
        hook: where to, and as what.
        links: of images.
        address: of Redis, where the images are.
    """

    kind = "webhook"
    kinds: tuple[SubscribedKind, ...] = ("events",)

    def __init__(self, name: str, hook: Hook, links: ImageLinks | None, address: RedisUrl) -> None:
        self.target = hook.shown
        self._name, self._hook = name, hook
        self._composer = Composer(hook, links)
        self._poster = Poster(hook.timeout_s, hook.ca)
        self._redis = address.client()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=name)
        self._over = False
        self._changed = threading.Condition()  # of all around it
        self._lanes: dict[str, _Lane] = {}
        self._queue: list[tuple[float, int, _Lane]] = []  # when a lane goes on, the soonest first
        self._numbers = itertools.count()  # of places in the queue: who comes first goes first
        self._known: set[int] = set()  # parcels in lanes, by identity
        self._failures: list[str] = []  # since the last delivery
        self._not_before_s = 0.0  # of all lanes
        self._taken_s = float("-inf")
        self._broken: Exception | None = None

    def open(self) -> None:
        """Begin to wait for events; the address is not asked for anything before the first."""
        for _ in range(AT_ONCE):
            self._pool.submit(self._work)

    def close(self) -> None:
        """Wait for the requests that are on their way, and let go of connections and threads."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._pool.shutdown()
        self._poster.close()
        self._redis.close()

    def deliver(self, parcels: list[Parcel]) -> None:
        """Put events into the lanes of their cameras; returns at once.

        Raises:
            AwayError: one is to be tried again, or was.
            RuntimeError: nothing is sent any more, for a mistake of ours.
        """
        if self._broken is not None:
            raise RuntimeError(f"a lane broke: {self._broken!r}") from self._broken
        with self._changed:
            for parcel in parcels:
                if parcel.state == "waits" and id(parcel) not in self._known:
                    self._put(parcel)
            failures, self._failures = self._failures, []
            words = [lane.words for lane in self._lanes.values() if lane.words] or failures[-1:]
        if words:
            raise AwayError(words[0], len(failures))

    def test(self) -> Answer:
        """Send an event that is clearly a test, once."""
        return self._poster.post(self._composer.request(trial_event(time.time())))

    def send_once(self, event: ReceivedEvent) -> Answer:
        """Send an event once, and return what came of it."""
        try:
            request = self._composer.request(event, self._image(event))
        except BadTemplateError as error:
            return Answer(None, f"template: {error}", is_ours=True)
        except redis.RedisError as error:
            return Answer(None, f"its image cannot be read: {error}")
        return self._poster.post(request)

    def _put(self, parcel: Parcel) -> None:
        self._known.add(id(parcel))
        stream = parcel.held.stream
        if stream not in self._lanes:
            self._lanes[stream] = _Lane(Backoff(self._hook.first_s, self._hook.most_s))
        lane = self._lanes[stream]
        lane.waiting.append(parcel)
        if len(lane.waiting) == 1:
            self._goes_on(lane, time.monotonic())

    def _goes_on(self, lane: _Lane, at_s: float) -> None:
        heappush(self._queue, (at_s, next(self._numbers), lane))
        self._changed.notify()

    def _work(self) -> None:
        try:
            while (lane := self._next()) is not None:
                self._send(lane, lane.waiting[0])
        except Exception as error:  # noqa: BLE001 raised by ``deliver``, in the bridge's thread
            self._broken = error

    def _next(self) -> _Lane | None:
        """Wait for a lane that goes on; None at the end."""
        with self._changed:
            while not self._over:
                wait_s = None
                if self._queue:
                    wait_s = max(self._queue[0][0], self._not_before_s) - time.monotonic()
                if wait_s is not None and wait_s <= 0:
                    lane = heappop(self._queue)[2]
                    if self._queue:
                        self._changed.notify()  # another thread is to wait for the next one
                    return lane
                self._changed.wait(wait_s)
        return None

    def _send(self, lane: _Lane, parcel: Parcel) -> None:
        """Try once, and have the lane go on when it is time."""
        event = parcel.item
        assert isinstance(event, ReceivedEvent)
        answer = self.send_once(event)
        now_s = time.monotonic()
        with self._changed:
            wait_s = self._answered(lane, parcel, answer, now_s)
            if lane.waiting:
                self._goes_on(lane, now_s + wait_s)
            elif lane.down_s is None:
                del self._lanes[parcel.held.stream]  # its camera may be gone for ever

    def _answered(self, lane: _Lane, parcel: Parcel, answer: Answer, now_s: float) -> float:
        """Note what came of a try; return the seconds until the lane goes on."""
        if answer.meaning == "again" and not self._is_over(lane, parcel, answer, now_s):
            return self._again(lane, parcel, answer, now_s)
        if answer.meaning == "taken":
            parcel.done()
            self._taken_s = now_s
        elif answer.meaning == "never":
            parcel.dead(answer.words)
        if answer.meaning != "again":
            lane.down_s = None
        lane.waiting.popleft()
        lane.words = ""
        lane.backoff.reset()
        self._known.discard(id(parcel))
        return 0.0

    def _is_over(self, lane: _Lane, parcel: Parcel, answer: Answer, now_s: float) -> bool:
        """Give an event up where its camera's have failed for too long; return whether it is."""
        is_first = not lane.words
        if lane.down_s is None or (is_first and self._taken_s > lane.down_s):
            lane.down_s = now_s  # where others were taken meanwhile, it was not the address
        lasted_s = now_s - lane.down_s
        if lasted_s < self._hook.give_up_s:
            return False
        camera = camera_of(parcel.held.stream)
        parcel.dead(f"{answer.words}; nothing of {camera} was taken for {lasted_s:.0f} s")
        return True

    def _again(self, lane: _Lane, parcel: Parcel, answer: Answer, now_s: float) -> float:
        """Note a failure; return the pause after it."""
        lane.words = f"{camera_of(parcel.held.stream)}: {answer.words}"
        self._failures.append(lane.words)
        wait_s = answer.wait_s or 0.0
        if answer.status == _LIMITED:  # that is about the address, whatever is sent there
            self._not_before_s = max(self._not_before_s, now_s + wait_s)
        return max(lane.backoff.next_s(), wait_s)

    def _image(self, event: ReceivedEvent) -> bytes:
        """The JPEG to attach; empty where none is wanted, or it is not kept any more.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        if self._hook.image != "attach" or not event.image:
            return b""
        jpeg = event_image(self._redis, event.camera, event.entry_id)
        if not jpeg:
            log.warning("%s: the image of %s is not kept any more", self._name, event.id)
        return jpeg
