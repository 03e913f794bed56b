"""Entries of streams to items, and the count of what is missing between them."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from mirante.client.account import Account, Tally
from mirante.client.items import EVENT_FIELDS, FRAME_FIELDS, Frame, Gap, Item, ReceivedEvent
from mirante.client.plan import Plan
from mirante.client.steps import Entries, Fields
from mirante.keys import EntryId, camera_of
from mirante.status import Status
from mirante.wire import WireError, decode
from mirante.wire.codec import announced_masks
from mirante.wire.errors import UNREADABLE
from mirante.wire.events import decode_event

_log = logging.getLogger("mirante.client")
_read_status = msgspec.json.Decoder(Status)


class Receiver:
    """Makes items of entries and keeps each stream's tally.

    Attributes:
        lost: frames by camera that were published and will never be seen here.
        resuming: streams whose entry to resume behind is gone: what is missing cannot be counted.
    """

    def __init__(self, plan: Plan) -> None:
        self.lost: Counter[str] = Counter()
        self.resuming: set[str] = set()
        self._plan = plan
        self._accounts: defaultdict[str, Account] = defaultdict(Account)

    def item(
        self, stream: str, entry_id: EntryId, fields: Fields, masks: Fields | None, counted: bool
    ) -> Item | None:
        """The item of an entry; None of an event that the plan's filter holds back, and, said in
        the log, of what is no message.

        Args:
            stream: the entry's key.
            entry_id: its ID.
            fields: its fields.
            masks: the fields of the masks' entry of the same ID, where asked for and found.
            counted: it follows the stream's last counted entry, so nothing may be missing between.
        """
        try:
            if stream.endswith(":status"):
                return _read_status.decode(fields.get(b"json", b""))
            if stream.endswith(":events"):
                return self._event(entry_id, fields)
            return self._frame(stream, entry_id, fields, masks, counted)
        except (*UNREADABLE, ValueError) as error:
            _log.error("%s %s is no message: %s", stream, entry_id, error)
            return None

    def begin(self, stream: str, entries: Entries) -> None:
        """Counts from the last of these entries on, which are not themselves handed out."""
        if tallies := [t for _, fields in entries if (t := tally_of(stream, fields))]:
            self._accounts[stream].note(tallies[-1])

    def forget(self, stream: str) -> None:
        """Counts from nowhere yet."""
        self._accounts.pop(stream, None)
        self.resuming.discard(stream)

    def begin_at(self, stream: str, tallies: Iterable[Tally]) -> None:
        """Counts from where others have read, if that is further."""
        for tally in tallies:
            self._accounts[stream].raise_to(tally)

    def report(self, gap: Gap) -> None:
        """Counts a loss and tells of it."""
        self.lost[gap.camera] += gap.frames or 0
        if self._plan.on_gap is not None:
            self._plan.on_gap(gap)

    def _frame(
        self, stream: str, entry_id: EntryId, fields: Fields, masks: Fields | None, counted: bool
    ) -> Frame:
        absent, lost = 0, None
        if stream.endswith(":masks"):
            result, lost = decode(None, _named(fields)), 0
        else:
            text = fields.get(b"json", b"")
            result = decode(text, None if masks is None else _named(masks), _named(fields))
            if self._plan.join_masks and masks is None:
                absent = announced_masks(text)
            lost = self._lost_before(stream, Tally.of(result), str(entry_id)) if counted else 0
        return Frame(
            **{name: getattr(result, name) for name in FRAME_FIELDS},
            entry_id=str(entry_id),
            sent=float(fields.get(b"sent", b"0")),
            received=time.time(),
            lost_before=lost,
            masks_lost=absent,
        )

    def _event(self, entry_id: EntryId, fields: Fields) -> ReceivedEvent | None:
        event = decode_event(fields.get(b"json", b""))
        if self._plan.where is not None and not self._plan.where(event):
            return None
        return ReceivedEvent(
            **{name: getattr(event, name) for name in EVENT_FIELDS},
            entry_id=str(entry_id),
            sent=float(fields.get(b"sent", b"0")),
            received=time.time(),
        )

    def _lost_before(self, stream: str, tally: Tally, entry_id: str) -> int | None:
        account = self._accounts[stream]
        missing: int | None = account.missing_before(tally)
        reason = "trimmed before it was read, or never sent"
        if not account and stream in self.resuming:
            missing, reason = None, "the entry to resume behind is gone"
        account.note(tally)
        self.resuming.discard(stream)
        if missing != 0:
            self.report(Gap(camera_of(stream), missing, entry_id, reason))
        return missing


def tally_of(stream: str, fields: Fields | None) -> Tally | None:
    """The tally that an entry carries; None when it carries none."""
    try:
        text = (fields or {})[b"json"]
        return Tally.of(decode(text)) if stream.endswith(":detections") else None
    except (KeyError, WireError):
        return None


def _named(fields: Fields) -> dict[str, bytes]:
    return {name.decode("utf-8", "replace"): value for name, value in fields.items()}
