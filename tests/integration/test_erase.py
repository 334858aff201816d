"""A user leaves the lake: every file of it, exactly, and for good; whatever is killed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs.erase import erase, pending_users
from jobs.erasure import MentionedError
from jobs.recompute import compared, next_generation, recompute
from jobs.refine import refining
from jobs.runtime.erasures import Requests, landed
from jobs.runtime.errors import DataError
from jobs.runtime.lake import Lake
from jobs.runtime.ledger import conservation
from jobs.runtime.list_store import Published, StoredList, open_store
from jobs.runtime.settings import load_settings
from jobs.runtime.tables import BRONZE
from tests.lakes import (
    CrashError,
    CrashingLake,
    MakeLake,
    deliver,
    killed_behind_every_write,
    stream,
)
from tests.oracle import Raw
from tests.promises import assert_promises
from tests.strategies import INTERACTIONS, MINUTE, PROFILES, Delivery, arrived, examples, histories

USER = "user_a"
SETTINGS = load_settings(environment={})
ASKED = {
    "eventType": "UserErased",
    "version": "1.0",
    "timestamp": "2026-09-21T14:13:20Z",
    "userId": USER,
}


class DyingLake(CrashingLake):
    """Dies once, when bronze has lost the user and gold has not."""

    is_doomed = True

    def remove(self, table: str, *args: Any) -> None:
        super().remove(table, *args)
        if table == BRONZE and self.is_doomed:
            self.is_doomed = False
            raise CrashError


@pytest.fixture(scope="module")
def history() -> list[list[Raw]]:
    """Two batches of two users' events, repeats and broken records; the user asks at the end.

    Without event ids of the producers': no record of one user is a copy of the other's.
    """
    drawn = [
        d
        for part in examples(histories(max_size=8), 5)
        for d in part
        if b"eventId" not in (d.value or b"")
    ]
    broken = Delivery(INTERACTIONS, USER.encode(), b"{")
    asked = Delivery(PROFILES, USER.encode(), json.dumps(ASKED).encode())
    raws = arrived([*drawn, broken, *drawn[::3], asked])
    return [raws[: len(raws) // 2], raws[len(raws) // 2 :]]


def is_of(raw: Raw) -> bool:
    return any(USER.encode() in (part or b"") for part in (raw.key, raw.value))


@pytest.mark.slow
def test_an_erased_user_is_as_if_he_had_never_come(
    lakes: MakeLake, history: list[list[Raw]]
) -> None:
    """Killed behind every write; then streamed on, and recomputed."""
    lake = lakes(DyingLake)
    assert isinstance(lake, DyingLake)
    deliver(lake, history)
    stream(lake, SETTINGS)
    store = open_store(SETTINGS.recommend, lake.root)
    lists = [StoredList(user, "homepage", f'["{user}"]') for user in (USER, "user_b")]
    store.apply(lists, Published(1, "1"), anew=True)
    raws = [raw for batch in history for raw in batch]
    others = [raw for raw in raws if not is_of(raw)]
    before = conservation(lake)
    assert pending_users(lake) == [USER]
    assert holding(lake, USER)

    with pytest.raises(MentionedError, match="with somebody else's key"):
        erase(lake, SETTINGS, [USER])
    assert conservation(lake) == before
    assert not Requests(lake).open()

    with pytest.raises(CrashError):
        erase(lake, SETTINGS, [USER], mentions=True)
    assert set(recompute(lake, SETTINGS.refine).causes) == {"erased"}
    with pytest.raises(DataError, match="erasure 1 was killed"), running(lake):
        pass
    deaths = killed_behind_every_write(
        lake, lambda: erase(lake, SETTINGS, pending_users(lake), mentions=True)
    )
    assert deaths > 3
    assert pending_users(lake) == []

    assert_promises(lake, SETTINGS, others)
    kept = conservation(lake)
    assert kept.erased == len(raws) - len(others)
    assert before.bronze - kept.bronze == kept.erased
    assert holding(lake, USER) == []
    assert store.get("user_b", "homepage")
    assert not store.get(USER, "homepage")
    certificate = json.loads((Path(lake.root) / "erasures" / "1.json").read_text())
    assert certificate["finds"] == []
    assert told(certificate) == kept.erased
    assert landed(lake) == {
        (topic, partition): max(r.offset for r in raws if r.place[:2] == (topic, partition))
        for topic, partition in {r.place[:2] for r in raws}
    }
    again = arrived([Delivery(*raw[:1], *raw[3:5]) for raw in others[:5]])
    moved = [
        raw._replace(offset=raw.offset + 1000, arrival=raws[-1].arrival + MINUTE) for raw in again
    ]
    new = next_generation(lake, SETTINGS)
    assert compared(lake, new, SETTINGS).differing == 0
    deliver(lake, [*history, moved])
    for generation in (lake, new):
        stream(generation, SETTINGS)
        assert_promises(generation, SETTINGS, [*others, *moved])
    assert holding(lake, USER) == []


def running(lake: Lake) -> Any:
    return refining(lake, SETTINGS.refine, available_now=True)


def told(certificate: dict[str, Any]) -> int:
    """Records by their ends in the one generation, by a certificate."""
    return sum(row["rows"] for row in certificate["erased"] if row["detail"])


def holding(lake: Lake, user: str) -> list[str]:
    """The files that hold a user, found by reading them all, without playhead's own search."""
    word = re.compile(rf"(?<![\w.:-]){user}(?![\w.:-])")
    files = [file for file in Path(lake.root).rglob("*") if file.is_file()]
    return [str(file) for file in files if any(map(word.search, texts(file)))]


def texts(file: Path) -> Iterator[str]:
    if file.suffix == ".parquet":
        yield from (repr(row) for row in pq.ParquetFile(file).read().to_pylist())
    else:
        yield file.read_bytes().decode("latin-1")
