"""An event is joined with what the catalogue said when it happened, whenever that was told."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.settings import load_settings
from jobs.runtime.streams.query import follow
from tests.oracles.catalog import entry_at
from tests.oracles.pipeline import Raw
from tests.oracles.strict_json import micros
from tests.support.lakes import BATCH_BY_BATCH, MakeLake, deliver
from tests.support.strategies import Delivery, arrived, examples, plays
from transforms.silver.validity import at_event_time, entries

SETTINGS = load_settings(overrides=BATCH_BY_BATCH, environment={})
TITLES = ("title_x", "title_y", "title_never")
INSTANTS = [f"2026-09-2{day}T00:00:00Z" for day in range(2)] + [
    *(f"2026-09-21T0{hour}:00:00.00000{micro}Z" for hour in range(3) for micro in range(2)),
]


def change(random: Random, number: int) -> dict[str, Any]:
    """A change of a title at one of few instants, so that some share one."""
    heading = {
        "version": "1.0",
        "timestamp": random.choice(INSTANTS),
        "eventId": f"{random.choice('abc')}{number}",
        "titleId": random.choice(TITLES[:2]),
    }
    if random.random() < 0.3:
        return {"eventType": "ContentMetadataRemoved", **heading, "reason": "licence_ended"}
    genres = random.sample(["Drama", "Comedy", "War"], random.randint(1, 2))
    entry = {"name": f"Name {number}", "contentType": "movie", "genres": genres}
    return {"eventType": "ContentMetadataUpdated", **heading, **entry}


def play(number: int, title: str, at: str) -> dict[str, Any]:
    event = examples(plays, 1)[0]
    content = {**event["contentInfo"], "titleId": title}
    return {**event, "eventId": f"p{number}", "timestamp": at, "contentInfo": content}


def delivered(event: dict[str, Any]) -> Delivery:
    is_play = event["eventType"].startswith("Video")
    topic, key = (
        ("user-interactions", "userId") if is_play else ("content-metadata-updates", "titleId")
    )
    return Delivery(topic, event[key].encode(), json.dumps(event).encode())


def history() -> tuple[list[Raw], list[Raw]]:
    """Plays at and between the catalogue's instants, and its changes: some first, some late.

    In each half the changes come in no order and some of them twice.
    """
    random = Random(11)
    changes = [change(random, number) for number in range(24)]
    moments = [*INSTANTS, "2026-09-19T00:00:00Z", "2026-09-21T01:30:00Z", "2026-09-21T14:00:00Z"]
    pairs = [(title, at) for title in TITLES for at in moments]
    played = [play(number, *pair) for number, pair in enumerate(pairs)]
    events = [*changes[:12], *changes[:3], *played, *changes[12:], *changes[10:14]]
    raws = arrived([delivered(event) for event in events])
    return raws[: 15 + len(played)], raws[15 + len(played) :]


def found(playback: DataFrame, catalog: DataFrame) -> dict[str, dict[str, Any] | None]:
    rows = at_event_time(playback.select("event_id", "title_id", "event_time"), catalog).collect()
    titles = {row.event_id: row.title and row.title.asDict() for row in rows}
    assert len(titles) == len(rows), "a play was joined with two entries"
    names = ("name", "content_type", "genres")
    return {key: title and {name: title[name] for name in names} for key, title in titles.items()}


def expected(raws: list[Raw]) -> dict[str, dict[str, Any] | None]:
    events = [json.loads(raw.value or b"") for raw in raws]
    changes = [event for event in events if "titleId" in event]
    return {
        event["eventId"]: entry_at(
            changes, event["contentInfo"]["titleId"], micros(event["timestamp"])
        )
        for event in events
        if "contentInfo" in event
    }


def stream(lake: Lake) -> tuple[DataFrame, DataFrame]:
    with refining(lake, load_judge(SETTINGS.refine), SETTINGS.refine, available_now=True) as run:
        follow(run)
    return lake.read("silver.playback"), lake.read("silver.catalog")


def test_the_entry_of_then_is_found_by_stream_batch_and_oracle_though_changes_come_late(
    lakes: MakeLake,
) -> None:
    lake = lakes(Lake)
    early, late = history()
    deliver(lake, [early])
    before = found(*stream(lake))
    assert before == expected(early)
    deliver(lake, [early, late])
    streamed = found(*stream(lake))
    assert streamed == expected([*early, *late])
    assert streamed != before, "the late changes changed nothing"
    accepted = load_judge(SETTINGS.refine).accepted_events(lake.read(BRONZE)).persist()
    assert (
        found(
            load_judge(SETTINGS.refine).silver_rows("playback", accepted),
            load_judge(SETTINGS.refine).silver_rows("catalog", accepted),
        )
        == streamed
    )
    overlapping = (
        entries(lake.read("silver.catalog"))
        .groupBy("title_id")
        .agg(F.sum(F.col("valid_to").isNull().cast("int")).alias("open"))
        .where("open > 1")
    )
    assert overlapping.isEmpty()
