"""Fuzz: any number of broken, bent and sound records through refine, held to a second judge.

    python -m tests.e2e.fuzz --seed 7 --records 1000000

Nothing may be lost, nothing may stop the query, silver holds no event that the jsonschema library
and Python's json refuse, and quarantine none that they accept.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from functools import cache, partial
from hashlib import sha256
from multiprocessing import get_context
from typing import NamedTuple

import click
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from jobs.runtime.cli import friendly_errors, log_to_console
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, QUARANTINE, SILVER
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.ledger import Conservation, conservation
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.settings import RefineSettings, load_settings
from jobs.runtime.spark.session import spark_session
from jobs.runtime.streams.query import follow
from tests.oracles.independent_judge import Record, judge
from tests.oracles.pipeline import Place, Raw
from tests.oracles.strict_json import EPOCH
from tests.support.lakes import land
from tests.support.mutator import mutants
from tests.support.shapes import bronze_of
from tests.support.strategies import damaged
from transforms.contracts.example import example

CHUNK = 50_000
PARTITIONS = 4
ARRIVAL = 1_705_320_000_000_000  # 2024-01-15T12:00:00Z: the contracts' examples happen that day
DRAWN = 500
OTHER_KEYS = (None, b"", b"\xff", b"someone-else")
JUDGES = 2


class End(NamedTuple):
    """What must become of a record unless a copy came first: its event_id and its table."""

    event_id: str
    table: str


def fuzz(lake: Lake, refine: RefineSettings, seed: int, count: int) -> Conservation:
    """Take `count` records of a seed through refine and hold each to the second judge.

    Raises:
        DataError: a record is lost, doubled, or in the wrong table; names the first of them.
    """
    chunks = list(range(-(-count // CHUNK)))
    made = partial(records, seed, count, drawn(seed))
    lake.ensure([BRONZE])
    for chunk in chunks:
        rows = bronze_of(lake.spark, made(chunk), _instant(ARRIVAL))
        land(lake, rows.coalesce(1), chunk)
    with refining(lake, load_judge(refine), refine, available_now=True) as run:
        follow(run)
    kept = conservation(lake)
    if not kept.conserved:
        raise DataError(f"a record was lost or counted twice: {kept}", f"repeat with seed {seed}")
    with ProcessPoolExecutor(JUDGES, get_context("spawn")) as pool:
        judged = pool.map(partial(expected, refine, made), chunks)
        wrong = list(faults(_held(lake), (end for ends in judged for end in ends)))
    if wrong:
        raise DataError(f"{len(wrong)} records: {wrong[:3]}", f"repeat with seed {seed}")
    return kept


def records(seed: int, count: int, strange: Sequence[bytes], chunk: int) -> list[Raw]:
    """A chunk of the records of a seed, the same in every process.

    Of ten, seven are events of a contract, most of them changed; two are random bytes; one is of
    the `strange` ones.
    """
    rng = random.Random(f"{seed}/{chunk}")
    raws = []
    for offset in range(chunk * CHUNK, min(count, (chunk + 1) * CHUNK)):
        topic, key, value = _sent(rng, strange, offset)
        if rng.random() < 0.05:
            topic = rng.choice(load_topics())
        if rng.random() < 0.05:
            key = rng.choice(OTHER_KEYS)
        raws.append(Raw(topic, offset % PARTITIONS, offset, key, value, ARRIVAL + offset))
    return raws


def _sent(
    rng: random.Random, strange: Sequence[bytes], offset: int
) -> tuple[str, bytes | None, bytes]:
    topic, key, event = rng.choice(sound())
    way = rng.random()
    if way < 0.1:
        return topic, key, rng.choice(strange)
    if way < 0.3:
        return topic, key, rng.randbytes(rng.randrange(99))
    named = {**event, "eventId": f"e{offset}"} if rng.random() < 0.9 else event
    return topic, key, next(mutants([named], rng.getrandbits(64)))


@cache
def sound() -> list[tuple[str, bytes, dict[str, object]]]:
    """The example of each contract, with its topic and key."""
    examples = [(contract, example(contract)) for contract in load_registry()]
    return [(c.topics[0], str(e[c.key]).encode(), e) for c, e in examples]


@cache
def load_topics() -> tuple[str, ...]:
    """The topics of the contracts."""
    return load_registry().topics


def drawn(seed: int) -> list[bytes]:
    """Values from hypothesis: bytes, texts, and events with a member gone or replaced.

    Hypothesis also draws constants of the modules that are loaded: each process has others.
    """
    texts = st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
    events = damaged().map(lambda event: json.dumps(event).encode())
    values: list[bytes] = []

    @seeded(seed)
    @settings(
        max_examples=DRAWN,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(st.binary(max_size=40), texts, events))
    def draw(value: bytes) -> None:
        values.append(value)

    draw()
    return values


def expected(
    refine: RefineSettings, made: Callable[[int], list[Raw]], chunk: int
) -> list[tuple[Place, End]]:
    """What must become of a chunk's records, by the second judge."""
    return [(raw.place, _end(raw, refine)) for raw in made(chunk)]


def _end(raw: Raw, refine: RefineSettings) -> End:
    digest = sha256(raw.value or b"").hexdigest()
    valid = judge(
        Record(raw.value, raw.key, raw.topic, _instant(raw.arrival)),
        future_tolerance_s=refine.future_tolerance_s,
        oldest_event_days=refine.oldest_event_days,
    )
    if valid is None:
        return End(f"rejected/{digest}", QUARANTINE)
    return End(valid.event_id or digest, f"silver.{valid.family}")


def _instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def faults(held: dict[Place, End], ends: Iterable[tuple[Place, End]]) -> Iterator[str]:
    """The records that are elsewhere than they must be, and the events that are not there once."""
    met, kept = set[str](), Counter[str]()
    for place, end in ends:
        met.add(end.event_id)
        if place in held:
            kept[end.event_id] += 1
            if held[place] != end:
                yield f"{place} is {held[place]}, must be {end}"
    yield from (f"{name} is held {kept[name]} times" for name in met if kept[name] != 1)


def _held(lake: Lake) -> dict[Place, End]:
    return {
        (row.topic, row.partition, row.offset): End(row.event_id, table)
        for table in (*SILVER, QUARANTINE)
        for row in lake.read(table).select("topic", "partition", "offset", "event_id").collect()
    }


@click.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--records", "count", type=int, default=1_000_000, show_default=True)
def main(seed: int, count: int) -> None:
    """Take COUNT records of SEED through refine, in a lake of their own, and judge them again."""
    log_to_console()
    with friendly_errors(), tempfile.TemporaryDirectory(prefix="playhead-fuzz-") as root:
        defaults = load_settings()
        lake = Lake(spark_session("fuzz", defaults.spark), root)
        began = time.monotonic()
        kept = fuzz(lake, defaults.refine, seed, count)
        lake.spark.stop()
    click.echo(f"{kept.bronze:,} records of seed {seed} in {time.monotonic() - began:.0f} s:")
    click.echo(f"  silver       {sum(kept.silver.values()):>9,}")
    click.echo(f"  duplicates   {kept.duplicates:>9,}")
    for reason, rows in sorted(kept.quarantined.items()):
        click.echo(f"  {reason:<20} {rows:>9,}")


if __name__ == "__main__":
    main()
