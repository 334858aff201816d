"""A user leaves the lake: every file of it, exactly, and for good; whatever is killed."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.runtime.erasure.erasure import erase, pending_users
from jobs.runtime.erasure.saga import MentionedError, RepeatedPlacesError
from jobs.runtime.errors import DataError
from jobs.runtime.lake.erasure_log import Requests, last_offsets
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER
from jobs.runtime.online.lists import Publication, StoredList
from jobs.runtime.online.opening import open_store, open_values
from jobs.runtime.online.values import Write
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.ledger import conservation
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.reader import Reader
from jobs.runtime.recompute.check import recompute
from jobs.runtime.recompute.next_generation import next_generation
from jobs.runtime.settings import load_settings
from jobs.runtime.streams.checkpoints import discard
from jobs.runtime.streams.queries import REFINE
from tests.oracles.pipeline import Event, Raw
from tests.support.lakes import CrashError, MakeLake, deliver, stream, survives
from tests.support.profile_events import event, rate, submit, view
from tests.support.promises import assert_outcome
from tests.support.strategies import INTERACTIONS, MINUTE, PROFILES, Delivery, arrived

USER, OTHER, LONGER = "ada", "bob", "ada_2"
OF_PROFILES = {"ContentViewed", "ContentRated", "UserErased"}
HELD = re.compile(rf"(?<![\w.:-]){USER}(?![\w.:-])")
SETTINGS = load_settings(environment={})


class DyingLake(Lake):
    """Dies behind the next write to a table of the lake, once for each table that is doomed."""

    doomed: list[str]

    def append(self, table: str, *args: Any) -> None:
        super().append(table, *args)
        self._die(table)

    def replace(self, table: str, *args: Any) -> None:
        super().replace(table, *args)
        self._die(table)

    def delete_matching(self, table: str, *args: Any) -> None:
        super().delete_matching(table, *args)
        self._die(table)

    def isolated(self) -> Lake:
        return self._same(DyingLake(self.spark.newSession(), self.root, self.generation))

    def of_generation(self, generation: int) -> Lake:
        return self._same(DyingLake(self.spark, self.root, generation))

    def _same(self, lake: DyingLake) -> Lake:
        lake.doomed = self.doomed
        return lake

    def _die(self, table: str) -> None:
        if table in self.doomed:
            self.doomed.remove(table)
            raise CrashError


def play(event_id: str, user: str, **metadata: str) -> Event:
    return event("VideoPlaybackStarted", event_id, user, 0) | {
        "version": "2.1",
        "sessionId": "s",
        "deviceInfo": {"deviceType": "mobile", "platform": "web"},
        "contentInfo": {"titleId": "t", "contentType": "movie", "duration": 60},
        "playbackContext": {"source": "search", "position": 5},
        "metadata": metadata,
    }


def sent(*events: Event) -> list[Delivery]:
    return [
        Delivery(
            PROFILES if e["eventType"] in OF_PROFILES else INTERACTIONS,
            e["userId"].encode(),
            json.dumps(e).encode(),
        )
        for e in events
    ]


def is_of(raw: Raw) -> bool:
    return any(HELD.search((part or b"").decode()) for part in (raw.key, raw.value))


def of(user: str, made: Event) -> Event:
    return {**made, "userId": user, "eventId": f"{user}-{made['eventId']}"}


BROKEN = Delivery(INTERACTIONS, USER.encode(), b"{")
BATCH = [
    *sent(
        play("p1", USER),
        play("p2", OTHER, region="eu"),
        play("p3", LONGER),
        play("m1", OTHER, correlationId=USER),
        submit("r1", 1, 4.0),
        of(OTHER, submit("r1", 1, 2.5)),
        view("v1", 2),
        of(OTHER, view("v1", 2)),
        play("p1", USER),
        play("p2", OTHER, region="eu"),
    ),
    BROKEN,
    BROKEN,
    BROKEN._replace(key=OTHER.encode(), value=b"{}"),
    sent(rate("r2", 3, 3.0))[0]._replace(key=b"eve"),
    sent(play("p4", USER))[0]._replace(key=None),
    *sent(rate("r3", 4, 1.5), play("p5", OTHER), event("UserErased", "e1", USER, 5)),
]
RAWS = arrived(BATCH)
OTHERS = [raw for raw in RAWS if not is_of(raw)]


@pytest.mark.slow
def test_an_erased_user_is_as_if_he_had_never_come(lakes: MakeLake) -> None:
    """Killed between tables and between steps; then streamed on, and built anew."""
    lake = filled(lakes)
    store = open_store(SETTINGS.online, SETTINGS.recommend.model, lake.root)
    before = conservation(lake)
    assert before.conserved
    assert before.duplicates == 3
    versions = [lake.version(table) for table in (BRONZE, LEDGER)]
    assert pending_users(lake) == [USER]
    assert holding(lake)

    with pytest.raises(MentionedError, match="2 records with somebody else's key hold ada"):
        erase(lake, SETTINGS, [USER])
    assert [lake.version(table) for table in (BRONZE, LEDGER)] == versions
    assert not Requests(lake).open()

    dies(lake, LEDGER)
    dies(lake, "silver.ratings")
    dies(lake, BRONZE)
    assert set(recompute(lake, load_judge(SETTINGS.refine), SETTINGS.refine).causes) == {"erased"}
    with pytest.raises(DataError, match="erasure 1 was killed"), running(lake):
        pass
    dies(lake, "gold.user_day")
    left = Path(lake.root) / "backup" / "part-0.parquet"
    left.parent.mkdir()
    pq.write_table(pa.table({"user": [OTHER, USER]}), left)
    with pytest.raises(
        DataError, match=r"1 files still hold the id: backup/part-0.parquet \(user\)"
    ):
        again(lake)
    left.unlink()
    again(lake)
    assert pending_users(lake) == []
    assert holding(lake) == []

    kept = conservation(lake)
    assert kept.erased == before.bronze - kept.bronze == len(RAWS) - len(OTHERS)
    assert kept.missing == 0
    assert Reader(lake.root).conservation() == kept
    assert store.get(OTHER, "homepage")
    assert not store.get(USER, "homepage")
    values = open_values(SETTINGS.online, lake.root)
    assert values.get(OTHER, "features")
    assert not values.get(USER, "features")
    first, second = (certificate(lake, number) for number in (1, 2))
    assert told(first) == kept.erased
    assert [find["file"] for find in first["finds"]] == ["backup/part-0.parquet"]
    assert (told(second), second["finds"]) == (0, [])
    places = {raw.place[:2] for raw in RAWS}
    assert last_offsets(lake) == {
        place: max(raw.offset for raw in RAWS if raw.place[:2] == place) for place in places
    }

    new = next_generation(lake, load_judge(SETTINGS.refine), SETTINGS)
    late = arrived([BATCH[1], *sent(play("p6", OTHER))])
    later = [r._replace(offset=r.offset + 99, arrival=RAWS[-1].arrival + MINUTE) for r in late]
    deliver(lake, [RAWS, later])
    for generation in (lake, new):
        stream(generation, SETTINGS)
        assert_outcome(generation, SETTINGS, [*OTHERS, *later])
    assert recompute(new, load_judge(SETTINGS.refine), SETTINGS.refine).differing == 0
    assert holding(lake) == []
    discard(lake.checkpoint(REFINE), REFINE)
    with pytest.raises(DataError, match="generation 1 needs a new checkpoint"), running(lake):
        pass


@pytest.mark.slow
def test_a_place_that_names_records_of_two_users_is_refused_before_anything_leaves(
    lakes: MakeLake,
) -> None:
    """As earlier playheads landed a topic that was made anew."""
    lake = lakes(Lake)
    first = arrived(sent(play("p1", USER), play("p2", OTHER)))
    second = [
        raw._replace(value=json.dumps(play(f"again-{n}", user)).encode(), key=user.encode())
        for n, (raw, user) in enumerate(zip(first, (OTHER, USER), strict=True))
    ]
    deliver(lake, [first, second])
    stream(lake, SETTINGS)
    versions = [lake.version(table) for table in (BRONZE, LEDGER, "silver.playback")]
    with pytest.raises(RepeatedPlacesError, match=r"2 other records of bronze\.events have"):
        erase(lake, SETTINGS, [USER])
    assert [lake.version(table) for table in (BRONZE, LEDGER, "silver.playback")] == versions
    assert not Requests(lake).open()


def filled(lakes: MakeLake) -> DyingLake:
    """A lake with the history in every table that the test looks at."""
    lake = lakes(DyingLake)
    assert isinstance(lake, DyingLake)
    lake.doomed = []
    deliver(lake, [RAWS])
    stream(lake, SETTINGS)
    lists = [StoredList(user, "homepage", f'["{user}"]') for user in (USER, OTHER)]
    open_store(SETTINGS.online, SETTINGS.recommend.model, lake.root).apply(
        lists, Publication(1, "1"), anew=True
    )
    open_values(SETTINGS.online, lake.root).apply(
        [Write(user, "features", 1, f"of {user}", "{}") for user in (USER, OTHER)]
    )
    return lake


def again(lake: Lake) -> None:
    erase(lake, SETTINGS, pending_users(lake), mentions=True)


def dies(lake: DyingLake, table: str) -> None:
    """Erase, and be killed behind the next write to a table."""
    lake.doomed.append(table)
    assert not survives(lambda: again(lake))
    assert not lake.doomed


def running(lake: Lake) -> Any:
    return refining(lake, load_judge(SETTINGS.refine), SETTINGS.refine, available_now=True)


def certificate(lake: Lake, number: int) -> dict[str, Any]:
    file = Path(lake.root) / "erasures" / f"{number}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def told(certificate: dict[str, Any]) -> int:
    """Records by their ends in the one generation, by a certificate."""
    return sum(row["rows"] for row in certificate["erased"] if row["detail"])


def holding(lake: Lake) -> list[str]:
    """The files that hold the user, found by reading them all, without playhead's own search."""
    gc.collect()  # SQLite deletes files of its own when a connection goes
    files = [file for file in Path(lake.root).rglob("*") if file.is_file()]
    return [str(file) for file in files if any(map(HELD.search, texts(file)))]


def texts(file: Path) -> Iterator[str]:
    if file.suffix == ".parquet":
        yield from (repr(row) for row in pq.ParquetFile(file).read().to_pylist())
    else:
        yield file.read_bytes().decode("latin-1")
