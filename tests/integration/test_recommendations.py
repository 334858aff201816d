"""Training, promotion, lists and online store over a small service with two tastes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import KafkaConsumer, TopicPartition
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.promote import main as promote_job
from jobs.recommend import main as recommend
from jobs.runtime.errors import DataError, ServiceError, SettingsError
from jobs.runtime.kafka.clients import python_options
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS, RECOMMENDATIONS, TABLES
from jobs.runtime.online.feature_publishing import publish_features
from jobs.runtime.online.list_publishing import publish
from jobs.runtime.online.opening import open_store, open_values
from jobs.runtime.pipeline.gold import append_partials, read_gold, rebuild
from jobs.runtime.recommendations import training
from jobs.runtime.recommendations.challenger import TrainingResult, current_challenger, train
from jobs.runtime.recommendations.gram_state import read_gram
from jobs.runtime.recommendations.model_registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    ModelRegistry,
    open_model_registry,
)
from jobs.runtime.recommendations.promotion import promote, refuse
from jobs.runtime.recommendations.scoring import score
from jobs.runtime.recommendations.tuning import Plan, tune
from jobs.runtime.recommendations.validation_cuts import part_at_cut
from jobs.runtime.settings import KafkaSettings, RecommendSettings, Settings, load_settings
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.tables import FOLDS, USER_TITLE
from transforms.instants import micros_of
from transforms.recommendations import validation
from transforms.recommendations.gate import judge
from transforms.recommendations.gram import gram, interactions
from transforms.recommendations.weighting import Weighting, preference

pytestmark = pytest.mark.slow

START = datetime(2026, 9, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST_SEQUENCE = 2**32  # of a checkpoint's first generation
USERS, TITLES = 40, 24
REMOVED, ABROAD = "t03", "t04"  # removed from the catalogue; available in `us` alone
TOPIC = "recommendation-model-updates"
PLACE = TopicPartition(TOPIC, 0)
SILVER = (*FACT_SOURCES, "silver.catalog")


def event(number: int, event_type: str, at: datetime, **given: Any) -> dict[str, Any]:
    common = {
        "event_id": f"{event_type}-{number:05}",
        "event_type": event_type,
        "event_time": at,
        "event_date": at.date(),
        "kafka_timestamp": at,
    }
    return {**common, **given}


def viewing(users: int = USERS) -> list[dict[str, Any]]:
    """Even users watch even titles, odd users odd ones, with some noise; an event an hour."""
    chance = random.Random(11)
    pairs = [
        (user, title)
        for user in range(users)
        for title in range(TITLES)
        if chance.random() < (0.6 if title % 2 == user % 2 else 0.08)
    ]
    chance.shuffle(pairs)
    rows = []
    for number, (user, title) in enumerate(pairs):
        at = START + number * HOUR
        common = {
            "user_id": f"u{user:02}",
            "title_id": f"t{title:02}",
            "region": "eu" if user % 3 else "us",
            "device_type": "mobile" if user % 2 else "smart_tv",
            "source": "browse",
        }
        rows.append(event(number, "VideoPlaybackStarted", at, **common, position_s=0))
        if chance.random() < 0.8:
            done = {**common, "watch_s": 5400, "position_s": 5400}
            rows.append(event(number, "VideoPlaybackCompleted", at + HOUR / 2, **done))
    return rows


def catalogue() -> list[dict[str, Any]]:
    rows = [
        event(
            title,
            "ContentMetadataUpdated",
            START - HOUR,
            title_id=f"t{title:02}",
            name=f"Title {title}",
            content_type="movie",
            genres=["Drama" if title % 3 else "Comedy"],
            regions=["us"] if f"t{title:02}" == ABROAD else None,
            release_date=date(2000 + title, 1, 1),
            removed=False,
        )
        for title in range(TITLES)
    ]
    gone = {"title_id": REMOVED, "removed": True}
    return [*rows, event(99, "ContentMetadataRemoved", START, **gone)]


def land(lake: Lake, table: str, rows: list[dict[str, Any]], number: int) -> None:
    schema = TABLES[table].schema
    frame = lake.spark.createDataFrame([tuple(r.get(f.name) for f in schema) for r in rows], schema)
    lake.append(table, frame, Transaction("test", number))


def lake_at(spark: SparkSession, folder: Path) -> Lake:
    lake = Lake(spark, str(folder))
    lake.ensure([*SILVER, PARTIALS, "gold.user_title"])
    return lake


def stream_batch(lake: Lake, rows: list[dict[str, Any]], number: int) -> None:
    """The next micro-batch of silver and gold."""
    land(lake, "silver.playback", rows, number)
    schema = TABLES["silver.playback"].schema
    batch = lake.spark.createDataFrame([tuple(r.get(f.name) for f in schema) for r in rows], schema)
    silver = {table: lake.read(table).limit(0) for table in FACT_SOURCES}
    of_batch = facts(silver | {"silver.playback": batch})
    append_partials(lake, of_batch, Transaction("test", FIRST_SEQUENCE + number))


def settings_with(**changed: Any) -> RecommendSettings:
    small = {"list_length": 8, "new_titles": 3, "factors": 4, **changed}
    return load_settings(environment={}).recommend.model_copy(update=small)


SETTINGS = settings_with()
ONLINE = load_settings(environment={}).online


@dataclass(frozen=True)
class Service:
    """A lake with two days of viewing, trained on each, the second version in service."""

    lake: Lake
    first: TrainingResult
    second: TrainingResult
    settings: Settings
    kafka: KafkaSettings
    since: int  # the offset at which its promotions begin: the broker has other users

    @property
    def registry(self) -> ModelRegistry:
        return open_model_registry(SETTINGS, self.lake.root)


@pytest.fixture(scope="module")
def service(
    spark: SparkSession, broker: KafkaSettings, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    lake = lake_at(spark, tmp_path_factory.mktemp("service"))
    land(lake, "silver.catalog", catalogue(), 1)
    rows = viewing()
    stream_batch(lake, rows[:400], 1)
    apply_topics(broker, {TOPIC: load_topics("local")[TOPIC]})
    with consumer(broker) as reader:
        since = reader.end_offsets([PLACE])[PLACE]
    base = load_settings(environment={})
    settings = base.model_copy(
        update={
            "kafka": broker,
            "lake": base.lake.model_copy(update={"root": lake.root}),
            "recommend": SETTINGS,
        }
    )
    registry = open_model_registry(SETTINGS, lake.root)
    first = train(lake, SETTINGS)
    promote(settings, registry, first.version)
    stream_batch(lake, rows[400:], 2)
    second = train(lake, SETTINGS)
    refuse(registry, second.version)
    promote(settings, registry, second.version)
    score(lake, SETTINGS)
    return Service(lake, first, second, settings, broker, since)


@pytest.fixture
def recomputed(service: Service, spark: SparkSession, tmp_path: Path) -> Lake:
    """Another lake with the same silver, whose gold was made in batch."""
    lake = lake_at(spark, tmp_path / "recomputed")
    for table in SILVER:
        lake.append(table, service.lake.read(table), Transaction("copy", 1))
    lake.ensure([f"gold.{name}" for name in FOLDS])
    rebuild(lake, facts({table: lake.read(table) for table in FACT_SOURCES}), 1)
    return lake


def test_a_daily_update_over_streamed_gold_is_training_from_scratch_over_recomputed_gold(
    service: Service, recomputed: Lake, tmp_path: Path
) -> None:
    model = training.train_present(
        recomputed, training.read_past(recomputed), training.declaration(SETTINGS), scratch=True
    )
    assert model.save(tmp_path / "model") == service.second.sha256 != service.first.sha256


def test_the_statistic_is_that_of_one_process(service: Service) -> None:
    rows = read_gold(service.lake, USER_TITLE).select("*", "last_rating.half_stars")
    local = rows.drop("last_rating").toPandas()
    weights = preference(local, Weighting(SETTINGS.half_star))
    expected = gram(interactions(local["user_id"], local["title_id"], weights), damping=0.3)
    kept = read_gram(service.lake)
    assert kept is not None
    assert kept.statistic.titles.tolist() == expected.titles.tolist()
    assert (kept.statistic.sums == expected.sums).all()


def test_a_model_at_a_cut_sees_nothing_of_what_came_after(
    service: Service, spark: SparkSession, tmp_path: Path
) -> None:
    past = training.past_at_cut(training.read_past(service.lake), 0.7)
    truncated = lake_at(spark, tmp_path / "truncated")
    for table in SILVER:
        rows = service.lake.read(table)
        before = rows.where(F.unix_seconds("event_time") < past.as_of_s)
        truncated.append(table, before, Transaction("copy", 1))
    known = facts({table: truncated.read(table) for table in FACT_SOURCES})
    append_partials(truncated, known, Transaction("copy", FIRST_SEQUENCE))
    alone = training.read_past(truncated)
    assert alone.as_of_s < past.as_of_s
    at = {"as_of_s": past.as_of_s}
    models = [
        training.train_past(past, training.declaration(SETTINGS)),
        training.train_past(
            type(past)(alone.user_title, alone.facts, **at), training.declaration(SETTINGS)
        ),
    ]
    digests = {m.save(tmp_path / f"model{number}") for number, m in enumerate(models)}
    assert len(digests) == 1


def test_settings_are_judged_in_one_process_exactly_as_a_trial_judges_them(
    service: Service,
) -> None:
    known = training.read_past(service.lake)
    past = training.past_at_cut(known, 0.7)
    catalogue = training.read_catalogue(service.lake)
    declared = training.declaration(SETTINGS)
    contenders = {"challenger": training.train_past(past, declared)}
    trial = training.run_trial(known, past, contenders, catalogue)
    part = part_at_cut(known, past.as_of_s, catalogue)
    values = validation.quality(part, validation.fit(part, declared), declared)
    rows = trial.by_user[trial.by_user["contender"] == "challenger"].sort_values("user_id")
    assert part.users.tolist() == rows["user_id"].tolist()
    assert values.tolist() == rows["ndcg"].tolist()


def test_a_tuning_never_looks_at_what_came_after_the_test_cut(
    service: Service, spark: SparkSession, tmp_path: Path
) -> None:
    """Every title first met after the cut is another one, and nothing after it was completed."""
    known = training.read_past(service.lake)
    cut_s = training.past_at_cut(known, SETTINGS.evaluation_share).as_of_s
    late = F.unix_seconds("first_time") >= cut_s
    changed = known.user_title.where(late).select("user_id", "title_id", F.lit(True).alias("late"))
    poisoned = lake_at(spark, tmp_path / "poisoned")
    for table in SILVER:
        rows = service.lake.read(table)
        if table == "silver.playback":
            rows = rows.join(F.broadcast(changed), ["user_id", "title_id"], "left")
            other = F.when(F.col("late"), F.concat(F.lit("poison-"), "title_id"))
            rows = rows.withColumn("title_id", F.coalesce(other, "title_id"))
            after = F.unix_seconds("event_time") >= cut_s
            rows = rows.where(~after | (F.col("event_type") == "VideoPlaybackStarted"))
            rows = rows.select(*TABLES[table].schema.names)
        poisoned.append(table, rows, Transaction("copy", 1))
    append_partials(
        poisoned,
        facts({table: poisoned.read(table) for table in FACT_SOURCES}),
        Transaction("copy", FIRST_SEQUENCE),
    )
    plan = Plan(cuts=2, draws=4, trials=6)
    found = [tune(lake, SETTINGS, plan) for lake in (service.lake, poisoned)]
    assert found[0].run_id != found[1].run_id
    assert replace(found[0], run_id="") == replace(found[1], run_id="")
    again = tune(service.lake, SETTINGS, plan)
    assert again == found[0]


def test_a_run_tells_what_it_was_made_from(service: Service) -> None:
    tags = service.registry.tags(service.second.version)
    assert tags["sha256"] == service.second.sha256
    assert json.loads(tags["data"])["silver.playback"] == service.lake.version("silver.playback")
    assert tags["champion"] == service.first.version


def test_two_tastes_beat_popularity(service: Service) -> None:
    assert service.second.verdict.passed
    assert service.second.verdict.differences["popularity"].lower > 0
    assert service.second.verdict.differences["champion"].mean == 0


def test_promotions_are_published_once_each(service: Service) -> None:
    events = [json.loads(value) for value in read_published(service.kafka, service.since)]
    assert [each["modelVersion"] for each in events] == ["1", "2"]
    assert all(each["alias"] == CHAMPION and "ndcg" in each["metrics"] for each in events)
    promote(service.settings, service.registry, "2")
    again = [json.loads(value)["eventId"] for value in read_published(service.kafka, service.since)]
    assert again == [*(each["eventId"] for each in events), events[1]["eventId"]]


def test_back_and_forth_by_alias(service: Service) -> None:
    registry = service.registry
    assert (registry.version_of(CHAMPION), registry.version_of(PREVIOUS)) == ("2", "1")
    promote(service.settings, registry, "1")
    assert (registry.version_of(CHAMPION), registry.version_of(PREVIOUS)) == ("1", "2")
    promote(service.settings, registry, "2")
    assert registry.version_of(CHALLENGER) == "2"


def test_a_training_of_the_very_same_is_known(service: Service) -> None:
    assert current_challenger(service.lake, SETTINGS) == "2"
    assert current_challenger(service.lake, settings_with(l2=4.0)) is None
    assert current_challenger(service.lake, settings_with(evaluation_share=0.7)) is None


def test_a_refused_challenger_leaves_the_champion_and_fails_only_if_asked_to(
    service: Service,
) -> None:
    lake = ["--set", f"lake.root={service.lake.root}"]
    assert CliRunner().invoke(promote_job, ["1", *lake]).exit_code == 4
    assert CliRunner().invoke(promote_job, ["1", "--if-better", *lake]).exit_code == 0
    assert service.registry.version_of(CHAMPION) == "2"


def test_without_kafka_nothing_is_promoted(service: Service) -> None:
    away = service.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    hasty = service.settings.commands.model_copy(update={"deadline_s": 0.5})
    settings = service.settings.model_copy(update={"kafka": away, "commands": hasty})
    with pytest.raises(ServiceError):
        promote(settings, service.registry, "1")
    aliases = [service.registry.version_of(alias) for alias in (CHAMPION, PREVIOUS)]
    assert aliases == ["2", "1"]


@contextmanager
def consumer(kafka: KafkaSettings) -> Iterator[KafkaConsumer]:
    reader = KafkaConsumer(**python_options(kafka), isolation_level="read_committed")
    reader.assign([PLACE])
    try:
        yield reader
    finally:
        reader.close()


def read_published(kafka: KafkaSettings, since: int) -> Iterator[bytes]:
    with consumer(kafka) as reader:
        reader.seek(PLACE, since)
        end = reader.end_offsets([PLACE])[PLACE]
        while reader.position(PLACE) < end:
            for record in reader.poll(500).get(PLACE, []):
                yield record.value


def test_lists_hold_their_promises(service: Service) -> None:
    rows = service.lake.read(RECOMMENDATIONS).persist()
    parts = (
        "contributions.others + contributions.popularity + contributions.resume + "
        "aggregate(contributions.because.units, 0L, (a, b) -> a + b)"
    )
    assert rows.where(f"units != {parts}").count() == 0
    met = read_gold(service.lake, USER_TITLE).select("user_id", "title_id")
    fresh = rows.where("context_type != 'continue_watching'")
    assert fresh.join(met, ["user_id", "title_id"]).count() == 0
    assert rows.where(f"title_id = '{REMOVED}'").count() == 0
    people = met.select("user_id").distinct().count()
    homepages = rows.where("context_type = 'homepage' AND rank = 1 AND user_id NOT LIKE '*%'")
    assert homepages.count() == people
    assert rows.where("rank > 8").count() == 0
    regions = {"*", "*/eu", "*/us"}
    nobody = rows.where("user_id LIKE '*%'").select("user_id").distinct()
    assert {row.user_id for row in nobody.collect()} == regions
    assert rows.where(f"title_id = '{ABROAD}' AND user_id = '*/eu'").count() == 0
    assert rows.where("context_type = 'new_releases'").where("title_id < 't21'").count() == 0
    reasons = {row.reason for row in rows.select("reason").distinct().collect()}
    assert "continue watching" in reasons
    assert any(reason.startswith("because you watched Title ") for reason in reasons)
    rows.unpersist()


def test_scoring_again_changes_nothing(service: Service) -> None:
    before = service.lake.version(RECOMMENDATIONS)
    assert score(service.lake, SETTINGS).is_new is False
    assert service.lake.version(RECOMMENDATIONS) == before


def test_the_online_store_takes_only_what_changed(service: Service) -> None:
    store = open_store(ONLINE, SETTINGS.model, service.lake.root)
    whole = publish(service.lake, store).changed
    assert whole > USERS
    assert publish(service.lake, store).changed == 0
    shown = CliRunner().invoke(
        recommend, ["u02", "--json", "--set", f"lake.root={service.lake.root}"]
    )
    answer = json.loads(shown.stdout)
    assert (answer["source"], answer["model_version"]) == ("read_model", "2")
    assert [item["rank"] for item in answer["items"]] == list(range(1, len(answer["items"]) + 1))
    score(service.lake, settings_with(new_titles=4))
    changed = publish(service.lake, store).changed
    assert 0 < changed < whole
    score(service.lake, SETTINGS)


def test_the_online_store_holds_the_features_of_each_last_play(service: Service) -> None:
    lake = service.lake
    lake.ensure(["gold.user_features"])
    store = open_values(ONLINE, lake.root)
    assert publish_features(lake, store, ttl_s=3600) == USERS
    assert publish_features(lake, store, ttl_s=3600) == 0
    last = max(
        (row for row in viewing() if row["user_id"] == "u02" and "watch_s" not in row),
        key=lambda row: row["event_time"],
    )
    found = store.get("u02", "features")
    assert found is not None
    place = (micros_of(last["event_time"]), last["event_id"])
    assert ((found.event_time, found.event_id), found.is_expired) == (place, True)
    assert json.loads(str(found.document)) == {
        "last_watched_title": last["title_id"],
        "last_watched_genre": "Drama" if int(last["title_id"][1:]) % 3 else "Comedy",
        "viewing_hour": last["event_time"].hour,
        "device_type": "smart_tv",
    }


def test_als_stands_behind_the_same_interface(service: Service) -> None:
    known = training.read_past(service.lake)
    past = training.past_at_cut(known, 0.8)
    model = training.train_past(past, training.declaration(settings_with(algorithm="als")))
    judged = training.run_trial(
        known, past, {"challenger": model}, training.read_catalogue(service.lake)
    )
    assert judge(judged.by_user).differences["popularity"].mean > 0


def test_a_service_of_one_user_and_one_title_gets_a_model_and_no_promotion(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = lake_at(spark, tmp_path)
    land(lake, "silver.catalog", catalogue(), 1)
    stream_batch(lake, [row for row in viewing() if row["user_id"] == "u02"][:1], 1)
    known = training.read_past(lake)
    past = training.past_at_cut(known, 0.8)
    model = training.train_present(lake, known, training.declaration(SETTINGS), scratch=False)
    assert model.model.titles.size == 1
    contenders = {"challenger": training.train_past(past, training.declaration(SETTINGS))}
    judged = training.run_trial(known, past, contenders, training.read_catalogue(lake))
    assert "nothing to judge by" in judge(judged.by_user).refusals[0]


def test_an_empty_gold_is_a_clear_error(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gold.user_title is empty.*jobs.stream"):
        train(Lake(spark, str(tmp_path)), SETTINGS)
    with pytest.raises(DataError, match=r"gold.user_title is empty"):
        train(lake_at(spark, tmp_path / "made"), SETTINGS)


def test_without_a_champion_nothing_is_scored(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has no champion.*jobs.train.*jobs.promote"):
        score(Lake(spark, str(tmp_path)), SETTINGS)
    with pytest.raises(SettingsError, match=r"gold.recommendations is empty.*jobs.score"):
        publish(Lake(spark, str(tmp_path)), open_store(ONLINE, SETTINGS.model, str(tmp_path)))
