"""Generations: built in batch while the live one streams, equal to it, switched by one commit."""

from __future__ import annotations

import json
import threading
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.generations import Action, Superseded, generations, record_action, switch
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.locks import hold_lock
from jobs.runtime.lake.tables import BRONZE, PARITY
from jobs.runtime.maintenance.retirement import abandon, retire
from jobs.runtime.pipeline.gold import read_gold
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.ledger import conservation
from jobs.runtime.pipeline.progress import OUTPUTS
from jobs.runtime.recompute.batch_build import build_silver
from jobs.runtime.recompute.comparison import compare_generations
from jobs.runtime.recompute.impact_page import report_on
from jobs.runtime.recompute.next_generation import EVERYTHING, _goal, next_generation
from jobs.runtime.recompute.partial_build import build_part
from jobs.runtime.recompute.plan import plan
from jobs.runtime.settings import Settings, load_settings
from jobs.runtime.streams.queries import OF_A_GENERATION
from tests.oracles.pipeline import Raw
from tests.support.lakes import BATCH_BY_BATCH, CrashingLake, MakeLake, deliver, stream, survives
from tests.support.promises import assert_promises
from transforms.gold.tables import BUSINESS_DAY, USER_DAY
from transforms.silver.scope import Scope


class Watcher(threading.Thread):
    """Reads the live gold again and again, as a dashboard would."""

    def __init__(self, lake: Lake) -> None:
        super().__init__()
        self.seen: set[tuple[int, ...]] = set()
        self._lake, self._done = lake, threading.Event()

    def run(self) -> None:
        while not self._done.is_set():
            self.seen.add(totals(Lake(self._lake.spark, self._lake.root)))

    def finish(self) -> set[tuple[int, ...]]:
        self._done.set()
        self.join()
        return self.seen


def totals(lake: Lake) -> tuple[int, ...]:
    """Plays and watch time, by two tables."""
    sums = F.sum("plays"), F.sum("watch_s")
    rows = [read_gold(lake, fold).agg(*sums).collect()[0] for fold in (USER_DAY, BUSINESS_DAY)]
    return tuple(value for row in rows for value in row)


@pytest.fixture
def configured() -> Settings:
    return load_settings(overrides=BATCH_BY_BATCH, environment={})


@pytest.mark.slow
def test_a_generation_is_built_caught_up_compared_and_switched(
    lakes: MakeLake, configured: Settings, history: list[list[Raw]], tmp_path: Path
) -> None:
    live = lakes(Lake)
    deliver(live, history[:2])
    built_from = live.version(BRONZE)
    deliver(live, history)  # what the new generation must catch up with
    stream(live, configured)
    assert plan(live).seconds is None

    watcher = Watcher(live)
    watcher.start()
    new = next_generation(live, load_judge(configured.refine), configured, built_from)
    found = compare_generations(live, new, configured)
    reader, expected = Lake(live.spark, live.root), totals(live)
    moved = Superseded(reader)
    assert not moved()
    switch(live, new.generation)
    assert moved()
    assert watcher.finish() == {expected}, "a reader saw a gap, a double or a mixture"

    page = tmp_path / "report.html"
    report_on(live, new, page)
    assert json.loads(page.with_suffix(".json").read_text())["moved"]["any"] == 0
    assert "generation 1 to 2" in page.read_text(encoding="utf-8")

    assert found.compared
    assert found.differing == 0
    assert live.read(PARITY).where("cause IS NULL").count() == len(found.tables)
    assert plan(live).seconds
    assert (reader.generation, Lake(live.spark, live.root).generation) == (1, 2)
    switched = Lake(live.spark, live.root)
    assert_promises(switched, configured, [raw for part in history for raw in part])
    switch(live, 1)
    assert Lake(live.spark, live.root).generation == 1


DEATHS = (2, 5, 3, 2, 4)  # behind so many writes of a life; those that are skipped count


@pytest.mark.slow
def test_a_build_that_is_killed_behind_any_write_goes_on_where_it_was(
    lakes: MakeLake, base_settings: Settings, history: list[list[Raw]]
) -> None:
    live = lakes(CrashingLake)
    assert isinstance(live, CrashingLake)
    deliver(live, history[:1])
    stream(live, base_settings)
    for writes in DEATHS:
        live.writes_left = writes * [1]
        assert not survives(
            lambda: next_generation(live, load_judge(base_settings.refine), base_settings)
        ), "it did not die"
    live.writes_left = []
    next_generation(live, load_judge(base_settings.refine), base_settings)
    known = generations(live)
    assert list(known) == [1, 2], "a build that was killed was begun anew"
    assert Action.BUILT in known[2].actions
    new = live.of_generation(2)
    assert conservation(new).conserved
    assert totals(new) == totals(live)


def test_what_may_be_retired(lakes: MakeLake) -> None:
    lake = lakes(Lake)
    for number in (2, 3, 4, 5):
        record_action(lake, number, Action.BUILDING, bronze_version=0)
        if number < 5:
            record_action(lake, number, Action.BUILT)
            lake.of_generation(number).ensure([f"gold.{USER_DAY.name}"])
    with pytest.raises(SettingsError, match="generation 5 is not complete"):
        switch(lake, 5)
    switch(lake, 4)
    assert retire(lake, keep=0, unread_h=1) == [], "all were live or built a moment ago"
    assert retire(lake, keep=1, unread_h=0) == [1, 2], "3 is kept, 4 is live, 5 is being built"
    assert not lake.of_generation(2).has(f"gold.{USER_DAY.name}")
    with pytest.raises(SettingsError, match="generation 1 is not complete"):
        switch(lake, 1)


@pytest.mark.parametrize("query", OF_A_GENERATION)
def test_a_generation_that_a_query_streams_into_is_not_retired(lakes: MakeLake, query: str) -> None:
    lake = lakes(Lake)
    record_action(lake, 2, Action.BUILDING, bronze_version=0)
    record_action(lake, 2, Action.BUILT)
    switch(lake, 2)
    with (
        hold_lock(lake.of_generation(1).checkpoint(query), query),
        pytest.raises(DataError, match=f"generation 1: {query} is running on it"),
    ):
        retire(lake, keep=0, unread_h=0)
    assert retire(lake, keep=0, unread_h=0) == [1]


@pytest.fixture
def forgetful(lakes: MakeLake, history: list[list[Raw]]) -> Lake:
    """A lake whose records are landed."""
    lake = lakes(Lake)
    deliver(lake, history)
    return lake


def forget(lake: Lake) -> None:
    """Delete the records, and vacuum their files: the newest version alone can be read."""
    lake.delete(BRONZE, "true")
    lose_files(lake)


def lose_files(lake: Lake) -> None:
    for file in Path(lake.path(BRONZE)).rglob("*.parquet"):
        file.unlink()


def test_a_version_that_is_gone_is_refused_before_a_generation_is_recorded(
    forgetful: Lake, base_settings: Settings
) -> None:
    forget(forgetful)
    with pytest.raises(SettingsError, match=r"version 2 of .* can no longer be read"):
        next_generation(forgetful, load_judge(base_settings.refine), base_settings, 2)
    assert list(generations(forgetful)) == [1], "a generation was recorded that cannot be built"


def test_a_newest_version_whose_files_are_lost_is_refused_before_a_generation_is_recorded(
    forgetful: Lake, base_settings: Settings
) -> None:
    lose_files(forgetful)
    with pytest.raises(SettingsError, match=r"version 3 of .* -> restore the files of .*events"):
        next_generation(forgetful, load_judge(base_settings.refine), base_settings)
    assert list(generations(forgetful)) == [1], "a generation was recorded that cannot be built"


def test_a_build_that_cannot_end_is_given_up_by_a_named_command(
    forgetful: Lake, base_settings: Settings
) -> None:
    judge = load_judge(base_settings.refine)
    goal = _goal(forgetful, judge, None, EVERYTHING)
    forget(forgetful)
    with pytest.raises(DataError, match=r"jobs\.generations abandon 2"):
        next_generation(forgetful, judge, base_settings)
    abandon(forgetful, goal.number)
    assert generations(forgetful)[2].is_retired
    with pytest.raises(SettingsError, match="2 is no unfinished build -> unfinished: none"):
        abandon(forgetful, goal.number)
    assert _goal(forgetful, judge, None, EVERYTHING).number == 3


SCOPES = [
    Scope(first=date(2026, 9, 19), last=date(2026, 9, 19)),
    Scope(users=("user_a",)),
    Scope(event_types=("UserRatingSubmitted", "VideoPlaybackSeeked")),
]


@pytest.mark.slow
def test_a_part_built_anew_is_that_part_of_everything_built_anew(
    lakes: MakeLake,
    base_settings: Settings,
    history: list[list[Raw]],
) -> None:
    """The judge of the batch finds other event times old than the stream did."""
    live = lakes(Lake)
    deliver(live, [[without_event_id(raw) for raw in part] for part in history])
    lenient = base_settings.refine.model_copy(update={"oldest_event_days": 3000})
    stream(live, base_settings.model_copy(update={"refine": lenient}))
    version = live.version(BRONZE)
    strict = base_settings.refine.model_copy(update={"oldest_event_days": 1})
    full = live.of_generation(2)
    build_silver(full, load_judge(strict), strict, version)
    for number, scope in enumerate(SCOPES, start=3):
        part = live.of_generation(number)
        build_part(live, part, load_judge(strict), strict, version, scope)
        assert conservation(part).conserved
        assert_composed(live, part, full, scope)


def without_event_id(raw: Raw) -> Raw:
    """A record known by its bytes: no other event, in scope or not, can be a copy of it."""
    try:
        event = json.loads(raw.value or b"")
    except ValueError:
        return raw
    event.pop("eventId", None)
    return raw._replace(value=json.dumps(event).encode())


def assert_composed(live: Lake, part: Lake, full: Lake, scope: Scope) -> None:
    """Inside the scope a part is the full build, outside it is the live one."""
    for table in OUTPUTS[:-1]:
        columns = [name for name in live.read(table).columns if name != "refined_by"]
        inside = rows_of(part, table, scope, columns)
        assert inside == rows_of(full, table, scope, columns), f"{table} inside {scope}"
        outside = rows_of(part, table, scope, columns, inside=False)
        assert outside == rows_of(live, table, scope, columns, inside=False), f"{table}: {scope}"


def rows_of(
    lake: Lake, table: str, scope: Scope, columns: list[str], *, inside: bool = True
) -> list[str]:
    rows = lake.read(table)
    held = F.coalesce(scope.holds(rows), F.lit(False))
    chosen = rows.where(held if inside else ~held).select(F.to_json(F.struct(*columns)).alias("r"))
    return sorted(row.r for row in chosen.collect())
