"""One suite for both stores of versioned values, against an oracle in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.runtime.errors import DataError
from jobs.runtime.online.redis_values import RedisValues
from jobs.runtime.online.sqlite_values import SqliteValues
from jobs.runtime.online.store import StoreError
from jobs.runtime.online.store import batches as batches_of
from jobs.runtime.online.values import AHEAD_S, BEYOND, SECOND, ValueStore, Write
from tests.oracles.versioned_values import holdings
from tests.support.online_stores import Clock, free_port, redis_server
from tests.support.value_writers import Workload, differences, write_all

HORIZON_S = 7 * 86_400
HOUR = 3_600


def opening(kind: str, folder: Path, url: str, clock: Any) -> Any:
    """A function that opens one of the stores, in this process or another."""
    if kind == "sqlite":
        return partial(SqliteValues, folder / "values.db", HORIZON_S, clock)
    return partial(RedisValues, url, HORIZON_S, clock)


@pytest.fixture(params=["sqlite", "redis"])
def kind(request: pytest.FixtureRequest, redis_url: str) -> str:
    redis.Redis.from_url(redis_url).flushdb()
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path, redis_url: str, clock: Clock) -> ValueStore:
    return opening(kind, tmp_path, redis_url, clock)()


def ada(at: int, event_id: str = "e", document: str | None = "{}", **rest: Any) -> Write:
    return Write("ada", "features", at, event_id, document, **rest)


def document(store: ValueStore, key: str = "ada", kind: str = "features") -> str | None:
    found = store.get(key, kind)
    return None if found is None else found.document


def test_a_new_store_holds_nothing(store: ValueStore) -> None:
    assert store.get("ada", "features") is None
    assert (store.apply([]), store.sweep()) == (0, 0)


def test_an_older_write_never_passes_a_newer_one(store: ValueStore) -> None:
    assert store.apply([ada(2, document="new")]) == 1
    assert store.apply([ada(1, document="old")]) == 0
    assert document(store) == "new"
    assert store.apply([ada(3, document="newer")]) == 1
    assert document(store) == "newer"


def test_a_batch_sent_again_changes_nothing(store: ValueStore) -> None:
    batch = [ada(1, document="a"), ada(3, document="c"), ada(2, document="b")]
    assert store.apply(batch) == 2
    assert store.apply(batch) == 0
    assert document(store) == "c"


def test_kinds_of_a_key_are_values_of_their_own(store: ValueStore) -> None:
    store.apply([ada(2), Write("ada", "assignment", 1, "e", "treatment")])
    assert document(store, kind="assignment") == "treatment"


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ("Z", "a"),
        ("a", "aa"),
        ("z", "é"),
        ("é", "ア"),
        ("\uffff", "\U0001f600"),  # the other way round in UTF-16
        ("a\x00", "a\x00b"),
        ("a\x00z", "ab"),
        ("e10", "e9"),
    ],
)
def test_at_one_instant_the_event_id_decides_byte_by_byte(
    store: ValueStore, lesser: str, greater: str
) -> None:
    assert store.apply([ada(5, greater, "greater")]) == 1
    assert store.apply([ada(5, lesser, "lesser")]) == 0
    assert document(store) == "greater"
    assert store.apply([ada(6, lesser, "later"), ada(5, greater, "greater")]) == 1


def test_instants_beyond_what_a_float_holds_are_told_apart(store: ValueStore, clock: Clock) -> None:
    clock.now = (BEYOND - 1) / SECOND - HOUR
    assert store.apply([ada(2**53 + 2, document="new")]) == 1
    assert store.apply([ada(2**53 + 1, "z", "old")]) == 0
    assert store.get("ada", "features").event_time == 2**53 + 2  # type: ignore[union-attr]


def test_a_deletion_is_a_version(store: ValueStore) -> None:
    store.apply([ada(1), ada(3, document=None)])
    assert (document(store), store.get("ada", "features").event_time) == (None, 3)  # type: ignore[union-attr]
    assert store.apply([ada(2)]) == 0
    assert store.apply([ada(4, document="again")]) == 1
    assert document(store) == "again"


def test_an_empty_document_is_none_of_a_deletion(store: ValueStore) -> None:
    store.apply([ada(1, document="")])
    assert document(store) == ""


def test_a_value_expires_by_its_event_time_and_a_replay_makes_nothing_fresh(
    store: ValueStore, clock: Clock
) -> None:
    write = ada(int(clock.now) * SECOND, ttl_s=HOUR)
    store.apply([write])
    clock.now += HOUR - 1
    assert not store.get("ada", "features").is_expired  # type: ignore[union-attr]
    clock.now += 1
    store.apply([write])
    assert store.get("ada", "features").is_expired  # type: ignore[union-attr]
    store.apply([write._replace(key="bob")])  # written for the first time by a replay
    assert store.get("bob", "features").is_expired  # type: ignore[union-attr]


UNSOUND = {
    "ahead": {"event_time": BEYOND - 1},
    "before 1970": {"event_time": -1},
    "after 2261": {"event_time": BEYOND},
    "no id": {"event_id": ""},
    "long id": {"event_id": "é" * 513},
    "surrogate in the id": {"event_id": "\ud800"},
    "surrogate in the key": {"key": "\udfff"},
    "surrogate in the document": {"document": "\ud800"},
    "no time to live": {"ttl_s": 0},
    "more time than there is": {"ttl_s": 10**13},
}


@pytest.mark.parametrize("change", UNSOUND.values(), ids=UNSOUND)
def test_a_write_without_a_place_in_the_order_is_refused_and_its_batch_with_it(
    store: ValueStore, change: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=r"cannot be ordered: .* -> write only events that"):
        store.apply([ada(1), ada(2)._replace(**change)])
    assert store.get("ada", "features") is None


def test_a_write_a_little_ahead_of_the_clock_is_taken(store: ValueStore, clock: Clock) -> None:
    latest = int((clock.now + AHEAD_S) * SECOND)
    assert store.apply([ada(latest)]) == 1
    with pytest.raises(DataError, match=f"its event time is {latest + 1} "):
        store.apply([ada(latest + 1)])


EXAMPLE = count()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)


@st.composite
def arrivals(draw: st.DrawFn, now: int) -> list[list[Write]]:
    """Batches: of some versions each once at least, in any order."""
    example = next(EXAMPLE)
    times = st.one_of(st.sampled_from([0, 1, now - HOUR * SECOND]), st.integers(0, now))
    place = st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "ü"]), times, TEXTS)
    versions = draw(st.lists(place, unique=True, min_size=1, max_size=12))
    writes = [
        Write(
            f"{example}/{key}",
            kind,
            at,
            event_id,
            draw(st.none() | TEXTS),
            draw(st.sampled_from([None, HOUR])),
        )
        for key, kind, at, event_id in versions
    ]
    order = draw(st.permutations([*writes, *draw(st.lists(st.sampled_from(writes), max_size=12))]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    edges = [0, *cuts, len(order)]
    return [order[begin:end] for begin, end in pairwise(edges)]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_shuffle_repetition_split_and_number_of_writers_end_in_the_same(
    data: st.DataObject, kind: str, tmp_path: Path, redis_url: str, clock: Clock
) -> None:
    batches = data.draw(arrivals(int(clock.now) * SECOND))
    writers = [opening(kind, tmp_path, redis_url, clock)() for _ in range(2)]
    for batch in batches:
        data.draw(st.sampled_from(writers)).apply(batch)
    expected = holdings((write for batch in batches for write in batch), clock.now)
    found = [writers[0].get(*place) for place in expected]
    assert [tuple(vars(value).values()) for value in found] == list(map(tuple, expected.values()))


def test_threads_may_share_a_store(store: ValueStore) -> None:
    def write(batch: Sequence[Write]) -> None:
        for one in batch:
            store.apply([one])

    batches = [[ada(at, f"{thread}") for at in range(50)] for thread in range(4)]
    threads = [Thread(target=write, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.get("ada", "features")
    assert found is not None
    assert (found.event_time, found.event_id) == (49, "3")


def test_writers_killed_amid_their_writes_leave_what_the_oracle_says(
    kind: str, tmp_path: Path, redis_url: str, clock: Clock
) -> None:
    workload = Workload(int(clock.now), events=6_000, keys=300, writes=10_000, writers=3)
    open_store = opening(kind, tmp_path, redis_url, clock)
    outcome = write_all(workload, open_store, kills=4)
    assert (outcome.stale, outcome.kills > 0, outcome.reads > 0) == (0, True, True)
    expected = holdings(workload.all_writes(), clock.now)
    store = open_store()
    assert differences([store.get(*place) for place in expected], list(expected.values())) == 0


def test_sqlite_evicts_a_version_once_no_replay_can_reach_it_so_many_at_a_time(
    tmp_path: Path, clock: Clock
) -> None:
    store = SqliteValues(tmp_path / "values.db", HORIZON_S, clock)
    now = int(clock.now) * SECOND
    store.apply([ada(now, ttl_s=HOUR), ada(now, document=None)._replace(key="bob")])
    store.apply([ada(0, ttl_s=HOUR)._replace(key="late"), ada(0)._replace(key="for ever")])
    clock.now += HORIZON_S - 1
    assert store.sweep() == 0
    clock.now += 1
    assert (store.sweep(1), store.sweep(), store.sweep()) == (1, 1, 0)
    assert (store.get("bob", "features"), store.get("late", "features")) == (None, None)
    clock.now += HOUR
    assert (store.sweep(), store.get("ada", "features")) == (1, None)
    assert document(store, "for ever") == "{}"


def test_redis_keeps_a_key_as_long_as_the_last_of_its_versions(
    redis_url: str, clock: Clock
) -> None:
    store, client = RedisValues(redis_url, HORIZON_S, clock), redis.Redis.from_url(redis_url)
    client.flushdb()
    now = int(clock.now) * SECOND

    def left_s() -> float:
        return round(client.pttl("playhead:values:1:ada") / 1000)  # type: ignore[operator]

    store.apply([ada(now, ttl_s=HOUR)])
    assert left_s() == HORIZON_S + HOUR
    store.apply([ada(now, ttl_s=1)._replace(kind="other")])
    assert left_s() == HORIZON_S + HOUR
    store.apply([ada(now, ttl_s=2 * HOUR)._replace(kind="third")])
    assert left_s() == HORIZON_S + 2 * HOUR
    store.apply([ada(now)._replace(kind="for ever")])
    assert client.pttl("playhead:values:1:ada") == -1
    store.apply([ada(now, "f", ttl_s=HOUR)])
    assert client.pttl("playhead:values:1:ada") == -1


def test_redis_without_the_script_gets_it_again(redis_url: str, clock: Clock) -> None:
    store = RedisValues(redis_url, HORIZON_S, clock)
    redis.Redis.from_url(redis_url).flushdb()
    store.apply([ada(1)])
    redis.Redis.from_url(redis_url).script_flush()
    assert store.apply([ada(2)]) == 1


def test_redis_that_was_lost_is_filled_by_the_same_batches_again(
    tmp_path: Path, clock: Clock
) -> None:
    workload, port = Workload(int(clock.now), 2_000, 100, 2_000, writers=1), free_port()
    batches = list(batches_of(workload.stream(0)))
    with redis_server(tmp_path, port) as url:
        store = RedisValues(url, HORIZON_S, clock)
        store.apply(batches[0])
    with pytest.raises(StoreError, match=rf"Redis at 127.0.0.1:{port}/0 does not serve"):
        store.apply(batches[1])
    with redis_server(tmp_path, port):
        for batch in reversed(batches):
            store.apply(batch)
        expected = holdings(workload.all_writes(), clock.now)
        found = [store.get(*place) for place in expected]
        assert differences(found, list(expected.values())) == 0


def test_what_is_no_value_of_ours_is_a_clear_error(redis_url: str, clock: Clock) -> None:
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    client.hset("playhead:values:1:ada", "features", b"?")
    client.set("playhead:values:1:bob", b"?")
    store = RedisValues(redis_url, HORIZON_S, clock)
    for write in (ada(1), ada(1)._replace(key="bob")):
        with pytest.raises(
            StoreError, match=r"Redis at 127.0.0.1:\d+/0 does not serve: .* -> "
        ) as raised:
            store.apply([write])
        assert write.key not in str(raised.value)
        with pytest.raises(StoreError, match=r"does not serve: .*jobs.publish fills it again"):
            store.get(write.key, "features")


def test_a_forgotten_key_is_gone_with_all_kinds_and_no_other(store: ValueStore) -> None:
    store.forget("ada")
    store.apply([ada(1), ada(1)._replace(kind="other"), ada(1)._replace(key="ada/2")])
    store.forget("ada")
    assert (store.get("ada", "features"), store.get("ada", "other")) == (None, None)
    assert document(store, "ada/2") == "{}"


def test_a_store_that_is_away_or_damaged_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "values.db").write_bytes(b"this is no database, whatever its name" * 100)
    with pytest.raises(StoreError, match=r"values.db does not serve: .* -> delete the file"):
        SqliteValues(tmp_path / "values.db", 1).apply([ada(1)])
    with pytest.raises(StoreError, match=r"Redis at 127.0.0.1:1/0 does not serve") as raised:
        RedisValues("redis://:secret@127.0.0.1:1/0", 1).apply([ada(1)])
    assert "secret" not in str(raised.value)
    assert str(raised.value).count("\n") == 0
