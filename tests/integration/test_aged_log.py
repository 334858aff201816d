"""A lake older than the retention of Delta's log loses and doubles nothing, whatever restarts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.errors import DataError
from jobs.runtime.experiments.attribution import all_experiment_users, attributing
from jobs.runtime.lake.generations import Generation, generations, switch
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, EXPERIMENT_USER, SILVER
from jobs.runtime.pipeline import starting_point
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.recompute.next_generation import next_generation
from jobs.runtime.settings import Settings, load_settings
from jobs.runtime.streams.queries import FOLD, REFINE
from jobs.runtime.streams.query import follow
from tests.oracles.attribution import experiment_users
from tests.oracles.pipeline import Raw
from tests.support.aging import age
from tests.support.attribution_cases import documents, keyed, random_history, silver
from tests.support.lakes import BATCH_BY_BATCH, MakeLake, arrive, deliver, stream
from tests.support.promises import assert_promises
from transforms.experiments.definitions import Catalogue, catalogue
from transforms.gold.experiment_user import SOURCES


@pytest.fixture
def configured() -> Settings:
    return load_settings(overrides=BATCH_BY_BATCH, environment={})


def refine(lake: Lake, settings: Settings) -> None:
    judge = load_judge(settings.refine)
    with refining(lake, judge, settings.refine, available_now=True) as run:
        follow(run)


def fold(lake: Lake, settings: Settings) -> None:
    with folding(lake, settings.fold, available_now=True) as run:
        follow(run)


def attribute(lake: Lake, settings: Settings, defined: Catalogue) -> None:
    with attributing(lake, settings.attribute, defined, available_now=True) as run:
        follow(run)


def sent(history: list[list[Raw]]) -> list[Raw]:
    return [raw for batch in history for raw in batch]


@pytest.mark.slow
@pytest.mark.parametrize("lost", [(), (REFINE, FOLD)])
def test_the_streams_go_on_with_or_without_their_checkpoints(
    lakes: MakeLake, configured: Settings, history: list[list[Raw]], lost: tuple[str, ...]
) -> None:
    lake = lakes(Lake)
    deliver(lake, history[:2])
    stream(lake, configured)
    age(lake, BRONZE, *SILVER)
    for query in lost:
        shutil.rmtree(lake.checkpoint(query))
    deliver(lake, history)
    stream(lake, configured)
    assert_promises(lake, configured, sent(history))


@pytest.mark.slow
def test_queries_that_stood_still_until_their_next_commit_was_forgotten_begin_anew(
    lakes: MakeLake,
    configured: Settings,
    history: list[list[Raw]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    lake = lakes(Lake)
    deliver(lake, history[:1])
    stream(lake, configured)
    deliver(lake, history)
    age(lake, BRONZE)
    refine(lake, configured)
    age(lake, *SILVER)
    fold(lake, configured)
    told = [record.getMessage() for record in caplog.records if "made anew" in record.getMessage()]
    assert [message.partition(":")[0] for message in told] == [REFINE, FOLD]
    assert_promises(lake, configured, sent(history))


@pytest.fixture
def built(lakes: MakeLake, configured: Settings, history: list[list[Raw]]) -> Lake:
    """A live generation built from a first batch, with another two to refine."""
    live = lakes(Lake)
    deliver(live, history[:1])
    stream(live, configured)
    new = next_generation(live, load_judge(configured.refine), configured)
    switch(live, new.generation)
    deliver(live, history)
    return Lake(live.spark, live.root)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [True, False], ids=["lost", "stood still"])
def test_a_generation_built_in_batch_goes_on_though_its_build_is_forgotten(
    built: Lake, configured: Settings, history: list[list[Raw]], lost: bool
) -> None:
    if lost:
        shutil.rmtree(built.checkpoint(REFINE))
    age(built, BRONZE)
    refine(built, configured)
    fold(built, configured)
    assert_promises(built, configured, sent(history))


@pytest.mark.slow
def test_a_build_of_an_older_playhead_keeps_its_checkpoint_and_names_the_next_generation(
    built: Lake, configured: Settings, history: list[list[Raw]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_ingest_time(lake: Lake) -> dict[int, Generation]:
        return {n: replace(g, ingested_through=None) for n, g in generations(lake).items()}

    age(built, BRONZE)
    monkeypatch.setattr(starting_point, "generations", without_ingest_time)
    for _ in range(2):
        with pytest.raises(DataError, match=r"forgotten version 1 .* jobs\.recompute --switch"):
            refine(built, configured)
    assert Path(built.checkpoint(REFINE), "offsets", "0").exists(), "it was deleted for nothing"
    next_one = next_generation(built, load_judge(configured.refine), configured)
    switch(built, next_one.generation)
    assert_promises(Lake(built.spark, built.root), configured, sent(history))


@pytest.mark.slow
def test_attribution_that_stood_still_begins_anew(
    spark: SparkSession, tmp_path: Path, base_settings: Settings
) -> None:
    lake, defined = Lake(spark, str(tmp_path / "lake")), catalogue(documents())
    lake.ensure([*SOURCES, EXPERIMENT_USER])
    arrived = random_history(users=20, seed=5)
    tables, third = silver(spark, arrived), len(arrived) // 3
    for first, end in ((0, third), (third, 2 * third), (2 * third, len(arrived))):
        arrive(lake, tables, first, end)
        if first:
            age(lake, *SOURCES)
        if first != third:
            attribute(lake, base_settings, defined)
    assert keyed(lake.read(EXPERIMENT_USER)) == experiment_users(arrived, documents())
    assert keyed(all_experiment_users(lake, defined)) == keyed(lake.read(EXPERIMENT_USER))
