"""The bridge to files: what is in them, once, whatever happens."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from bridges.files.bridge import FilesBridge
from bridges.files.options import Files
from bridges.item_kinds import kinds_in
from bridges.parcel import AwayError
from mirante.keys import key
from mirante.wire import encode
from tests.support import ROOT
from tests.support.bridged import carried, event, write
from tests.support.parcels import MS, event_parcels, frame_parcel, states, status_parcel
from tests.support.redis_child import RedisChild
from tests.support.wire_frames import some_frame

FORMATS = ("jsonl", "parquet")


@contextmanager
def bridge(folder: Path, **options: Any) -> Iterator[FilesBridge]:
    made = FilesBridge(Files(folder=folder, **options))
    made.open()
    try:
        yield made
    finally:
        made.close()


def entries(folder: Path, kind: str = "events") -> list[str]:
    """The entries of all finished files, in the order of the files."""
    found: list[str] = []
    for path in sorted((folder / kind).glob("*.*")):
        assert path.suffix in {".jsonl", ".parquet"}, path
        if path.suffix == ".jsonl":
            found += [json.loads(line)["entry_id"] for line in path.read_text().splitlines()]
        else:
            found += pq.read_table(path)["entry_id"].to_pylist()
    return found


def ids(parcels: Any) -> list[str]:
    return [str(parcel.held.entry_id) for parcel in parcels]


@pytest.mark.parametrize("form", FORMATS)
def test_all_kinds_with_all_their_fields(tmp_path: Path, form: Any) -> None:
    kinds = kinds_in("status,detections,events")
    parcels = [*event_parcels(2), frame_parcel(), status_parcel()]
    with bridge(tmp_path, kinds=kinds, format=form) as made:
        made.deliver(parcels)
    assert states(parcels) == {"done"}
    assert entries(tmp_path) == ids(parcels[:2])
    read = "read_json" if form == "jsonl" else "read_parquet"
    with duckdb.connect() as db:
        frame = db.execute(
            f"select camera, seq, ts, size, counts.dropped, "
            f"[o.label for o in objects], objects[1].bbox, objects[1].track_id "
            f"from {read}('{tmp_path}/detections/*.{form}')"
        ).fetchone()
        event = db.execute(
            f"select id, kind, votes, path, bbox, image "
            f"from {read}('{tmp_path}/events/*.{form}') order by seq"
        ).fetchone()
        state = db.execute(f"select state from {read}('{tmp_path}/status/*.{form}')").fetchone()
    assert frame is not None and event is not None
    assert frame[:4] == ("gate", 41, 1763899667.123456, [960, 540])
    assert frame[4]["rate"] == 10
    assert frame[5:] == (["car", "person"], [10.25, 20.5, 100.5, 199.5], 7)
    assert event[:2] == ("gate-0", "line-crossed")
    assert event[2]["person"] == 0.9
    assert event[3:] == ([[10.0, 20.0], [60.5, 220.0]], [10.25, 20.5, 100.5, 199.5], True)
    assert state == ("running",)


@pytest.mark.parametrize("form", FORMATS)
def test_files_are_finished_by_size(tmp_path: Path, form: Any) -> None:
    parcels = event_parcels(9)
    with bridge(tmp_path, format=form, most_mib=0.001) as made:
        for i in range(0, 9, 3):
            made.deliver(parcels[i : i + 3])
        whole = list((tmp_path / "events").glob(f"*.{form}"))
        assert len(whole) == 2, "the third is not due before the next line"
    assert entries(tmp_path) == ids(parcels)


def test_files_are_finished_by_time_while_nothing_comes(
    tmp_path: Path, until: Callable[..., Any]
) -> None:
    parcels = event_parcels(1)
    with bridge(tmp_path, most_s=0.1) as made:
        made.deliver(parcels)
        until(lambda: list((tmp_path / "events").glob("*.jsonl")))
    assert entries(tmp_path) == ids(parcels)


@pytest.mark.parametrize("form", FORMATS)
def test_a_killed_bridge_loses_and_doubles_nothing(tmp_path: Path, form: Any) -> None:
    """Killed when lines were safe and not acknowledged, and in the middle of the next line."""
    parcels = event_parcels(6)
    killed = FilesBridge(Files(folder=tmp_path, format=form))
    killed.open()
    killed.deliver(parcels[:4])
    [part] = (tmp_path / "events").glob("*.part")
    left = part.read_bytes() + b'{"entry_id":"17638996'
    killed.close()
    for path in (tmp_path / "events").iterdir():
        path.unlink()
    part.write_bytes(left)

    with bridge(tmp_path, format=form) as made:
        assert entries(tmp_path) == ids(parcels[:4]), "finished at the start"
        again = event_parcels(6)
        made.deliver(again)
        assert states(again) == {"done"}
    assert entries(tmp_path) == ids(parcels)


def test_killed_between_the_parquet_file_and_its_part(tmp_path: Path) -> None:
    parcels = event_parcels(3)
    made = FilesBridge(Files(folder=tmp_path, format="parquet"))
    made.open()
    made.deliver(parcels)
    [part] = (tmp_path / "events").glob("*.part")
    left = part.read_bytes()
    made.close()
    part.write_bytes(left)
    with bridge(tmp_path, format="parquet"):
        assert not part.exists()
    assert entries(tmp_path) == ids(parcels)


def test_zeros_that_a_power_cut_leaves(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    line = b'{"entry_id":"5-0","camera":"gate"}\n'
    (tmp_path / "events" / "events-1.part").write_bytes(line + b"\0" * 100 + b"\n" + b"\0" * 9)
    (tmp_path / "events" / "events-0.part").write_bytes(b"\0" * 50)
    with bridge(tmp_path):
        assert entries(tmp_path) == ["5-0"]


def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the lines are written when the disk is full; nothing of them stays."""
    parcels, write = event_parcels(40), os.write
    is_full = False

    def written(fd: int, data: Any) -> int:
        if not is_full:
            return write(fd, data)
        if len(data) > 5000:
            return write(fd, data[:5000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with bridge(tmp_path) as made:
        made.deliver(parcels[:3])
        monkeypatch.setattr(os, "write", written)
        is_full = True
        for _ in range(3):
            with pytest.raises(AwayError, match=r"No space left"):
                made.deliver(parcels[3:])
            assert states(parcels[3:]) == {"waits"}
        is_full = False
        made.deliver(parcels[3:])
    assert entries(tmp_path) == ids(parcels)


def test_a_disk_that_is_full_when_parquet_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = event_parcels(3), event_parcels(1, first=3)
    with bridge(tmp_path, format="parquet", most_mib=0.001) as made:
        made.deliver(first)
        with monkeypatch.context() as patched:

            def fails(*_: Any, **__: Any) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            patched.setattr(pq.ParquetWriter, "write_table", fails)
            with pytest.raises(AwayError, match=r"No space left"):
                made.deliver(second)
            assert not list((tmp_path / "events").glob("*.tmp"))
        made.deliver(second)
    assert entries(tmp_path) == ids([*first, *second])


@pytest.mark.parametrize("form", FORMATS)
def test_what_others_remove_ends_nothing(
    tmp_path: Path, form: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The part, as by rm, and then the folder, as find -delete does where it is empty."""
    first, second, third = (event_parcels(2, first=number) for number in (0, 2, 4))
    with bridge(tmp_path, format=form) as made:
        made.deliver(first)
        for path in (tmp_path / "events").iterdir():
            path.unlink()
        made.deliver(second)
        shutil.rmtree(tmp_path / "events")
        made.deliver(third)
    assert entries(tmp_path) == ids(third)
    assert caplog.text.count("was removed by others") == 2


@pytest.mark.parametrize("form", FORMATS)
def test_files_of_others_and_files_that_are_damaged(tmp_path: Path, form: Any) -> None:
    parcels, again = event_parcels(2), event_parcels(2)
    with bridge(tmp_path, format=form) as made:
        made.deliver(parcels)
    [whole] = (tmp_path / "events").iterdir()
    theirs = tmp_path / "events" / f"events-daily.{form}"
    theirs.write_text("made by somebody else")
    with bridge(tmp_path, format=form) as made:
        made.deliver(again)
    theirs.unlink()
    assert entries(tmp_path) == ids(parcels)
    whole.write_bytes(whole.read_bytes()[:-10])
    damaged = FilesBridge(Files(folder=tmp_path, format=form))
    with pytest.raises(ValueError, match=rf"FOLDER: \S+{whole.name} is damaged, move it away: \w"):
        damaged.open()
    damaged.close()


def test_one_bridge_to_a_folder(tmp_path: Path) -> None:
    other = FilesBridge(Files(folder=tmp_path))
    with bridge(tmp_path) as made:
        with pytest.raises(ValueError, match=r"another bridge writes there"):
            other.open()
        other.close()
        parcels = event_parcels(1)
        made.deliver(parcels)
    assert entries(tmp_path) == ids(parcels)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'--kinds: no kind "event"; did you mean "events"'):
        kinds_in("event")
    file = tmp_path / "file"
    file.write_text("")
    made = FilesBridge(Files(folder=file))
    with pytest.raises(ValueError, match=r"FOLDER: expected one that can be written"):
        made.open()
    made.close()


def test_from_redis_to_duckdb_as_the_docs_say(
    server: RedisChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Callable[..., Any]
) -> None:
    """Two runs of the bridge with entries that come between them; then the queries of the docs."""
    options: dict[str, Any] = {"format": "parquet", "kinds": kinds_in("events,detections")}
    records = tmp_path / "records"
    for first in (0, 4):
        for number in range(first, first + 4):
            write(server, event(number, camera="yard"), number)
        entry: dict[Any, Any] = encode(some_frame(seq=first)).detections | {"sent": b"1.0"}
        server.client().xadd(key("gate", "detections"), entry, f"{MS + first}-{first}")
        with carried(FilesBridge(Files(folder=records, **options)), server) as carrier:
            until(lambda carrier=carrier: carrier.account.delivered == 5)
    assert len(set(entries(records))) == len(entries(records)) == 8

    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/bridges/files.md").read_text(encoding="utf-8")
    with duckdb.connect() as db:
        found = [
            db.execute(query).fetchall()
            for query in re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
        ]
    assert [row[1:] for row in found[0]] == [("yard", "door", 8)]
    assert found[1] == [("gate", "car", 1, 0.9), ("gate", "person", 1, 0.43)]
