"""What a service sends: all event types, from producers that write them in six ways.

The simulator's events, each rewritten as one of KINDS writes it; a fiftieth is sent twice, a
hundredth comes late, a hundredth is faulty in every way that the simulator knows. Refine takes them
from bronze to silver. The canonical rate is that of events that are all written in the contract's
order. The same is timed once with the strict lane that is made of Spark's own functions.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from jobs.producers.bulk import SCHEMA, send_in_bulk
from jobs.producers.faults import Faults
from jobs.producers.population import CHUNK, Population
from jobs.producers.records import Record
from jobs.producers.simulation import Clock, Simulation
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.streams.query import follow
from tests.benchmarks.pipeline import EVENTS, Bench, bench
from tests.support.lakes import land
from transforms.events.judge import StrictLane

log = logging.getLogger(__name__)

Body = dict[str, Any]
DAY_US = 86_400_000_000
ROUNDS = 3  # the first warms up
SENT = "duplicates=0.02,late=0.01,malformed=0.004,far_future=0.003,wrong_key=0.003"
OLDER = f"{SENT},old_versions=0.5"
NAMES = ("君の名は。", "Amélie", "Стиляги", "기생충")


def contract_order(body: Body) -> bytes:
    """Compact, as the simulator writes it."""
    return _compact(body)


def sorted_keys(body: Body) -> bytes:
    """As Go writes a map, and many a library when asked for equal bytes."""
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def type_last(body: Body) -> bytes:
    """As a serializer that writes a class's own members before those of its parent."""
    heading = ("eventType", "version")
    return _compact({**{name: body[name] for name in body if name not in heading}, **body})


def unknown_fields(body: Body) -> bytes:
    """As a newer client: in front, at the end, and within an object."""
    inner = {
        name: {**value, "clientHint": None}
        if name == "metadata" and isinstance(value, dict)
        else value
        for name, value in body.items()
    }
    more = {"flags": {"hdr": True, "lanes": [1, 2.5, "x"]}, "sentAtMs": 1705314600123}
    return _compact({"schemaUrl": "urn:x", **inner, **more})


def beyond_ascii(body: Body) -> bytes:
    """Names, platforms and regions in other scripts, as UTF-8."""
    name = NAMES[len(json.dumps(body)) % len(NAMES)]
    more: Body = {"name": name} if "name" in body else {}
    if isinstance(body.get("deviceInfo"), dict):
        more["deviceInfo"] = {**body["deviceInfo"], "platform": name}
    if isinstance(body.get("metadata"), dict):
        more["metadata"] = {**body["metadata"], "region": "東京"}
    return json.dumps({**body, **more}, ensure_ascii=False, separators=(",", ":")).encode()


def nulls_and_older_versions(body: Body) -> bytes:
    """As Python's json writes by default, with null for a value that is not there."""
    if body.get("eventType") == "ContentRated":
        body = {**body, "data": {"previousRating": None, **body["data"]}}
    return json.dumps(body).encode()


@dataclass(frozen=True)
class Kind:
    """One kind of producer.

    Attributes:
        write: function from an event to its bytes.
        faults: faults of its events, as jobs.simulate takes them.
    """

    write: Callable[[Body], bytes]
    faults: str = SENT


KINDS = {
    "contract_order": Kind(contract_order),
    "sorted_keys": Kind(sorted_keys),
    "type_last": Kind(type_last),
    "unknown_fields": Kind(unknown_fields),
    "beyond_ascii": Kind(beyond_ascii),
    "nulls_and_older_versions": Kind(nulls_and_older_versions, OLDER),
}


def _compact(body: Body) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Traffic:
    """Events of some kinds of producers, a chunk of each in turn.

    Attributes:
        kinds: names in KINDS.
        events: number of events, before faults.
        until: instant of the last event, in microseconds since 1970.
    """

    kinds: tuple[str, ...]
    events: int
    until: int

    def records(self, chunk: int) -> list[Record]:
        """The records of a chunk, all written by one kind of producer."""
        kind = KINDS[self.kinds[chunk % len(self.kinds)]]
        clock = Clock(self.until - DAY_US, DAY_US / self.events)
        faults = Faults.parse(kind.faults, seed=1)
        made = Simulation(Population(100_000, 5_000, 1), self.events, clock, faults)
        return [_rewritten(record, kind.write) for record in made.records(chunk)]

    @property
    def chunks(self) -> range:
        """The numbers of the chunks."""
        return range(-(-self.events // CHUNK))


def _rewritten(record: Record, write: Callable[[Body], bytes]) -> Record:
    """A record as a kind of producer writes it; one that is no JSON object as it is."""
    try:
        body = json.loads(record.value)
    except ValueError:
        return record
    return record._replace(value=write(body)) if isinstance(body, dict) else record


def run() -> dict[str, Any]:
    """Rates of the mix and of each kind by itself, the median of all rounds but the first."""
    with bench(0) as ready:
        until = int(time.time() * 1e6)
        mix = Traffic(tuple(KINDS), EVENTS, until)
        log.info("producing %s events of %s kinds", f"{EVENTS:,}", len(KINDS))
        send_in_bulk(ready.lake.spark, mix.chunks, mix.records, ready.kafka)
        baseline = ready.noop_rate("user-.*|content-.*|experiment-.*|system-.*|recommendation-.*")
        lakes = {"mix": ready.elsewhere("mix")}
        ready.ingest(lakes["mix"])
        for name in KINDS:
            lakes[name] = _landed(ready, name, Traffic((name,), EVENTS // 4, until))
        plain = _landed(ready, "plain", Traffic(("sorted_keys",), EVENTS // 40, until))
        rates: dict[str, list[float]] = {name: [] for name in lakes}
        for number in range(ROUNDS):
            for name, lake in lakes.items():
                rates[name].append(_rate(ready, lake.of_generation(number + 1)))
                log.info("%s: %s records/s", name, f"{rates[name][-1]:,.0f}")
        without_worker = _rate(ready, plain, strict_lane="spark")
    middle = {name: median(found[1:]) for name, found in rates.items()}
    return _told(middle, baseline) | {
        "sorted_keys_by_spark": {
            "rate_per_s": round(without_worker),
            "of_canonical": round(without_worker / middle["contract_order"], 3),
        }
    }


def _told(rates: dict[str, float], baseline: float) -> dict[str, Any]:
    """What the benchmark's file holds."""
    canonical = rates["contract_order"]
    return {
        "events": EVENTS,
        "rate_per_s": round(rates["mix"]),
        "baseline": "kafka to noop",
        "baseline_rate_per_s": round(baseline),
        "ratio": round(rates["mix"] / baseline, 3),
        "canonical_rate_per_s": round(canonical),
        "of_canonical": round(rates["mix"] / canonical, 3),
        "by_producer": {
            name: {
                "rate_per_s": round(rates[name]),
                "of_canonical": round(rates[name] / canonical, 3),
            }
            for name in KINDS
        },
    }


def _landed(ready: Bench, name: str, traffic: Traffic) -> Lake:
    """A lake whose bronze holds some traffic, in files as ingest writes them."""
    lake = ready.elsewhere(name)
    lake.ensure([BRONZE])

    def made(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for chunk in batch.column("id").to_pylist():
                topics, keys, values = zip(*traffic.records(chunk), strict=True)
                columns = [pa.array(topics), pa.array(keys), pa.array(values, pa.binary())]
                yield pa.RecordBatch.from_arrays(columns, names=["topic", "key", "value"])

    spark, chunks = lake.spark, traffic.chunks
    records = spark.range(chunks.start, chunks.stop, 1, 8).mapInArrow(made, SCHEMA)
    now = F.timestamp_micros(F.lit(traffic.until))
    land(
        lake,
        records.select(
            "*",
            F.spark_partition_id().alias("partition"),
            F.monotonically_increasing_id().alias("offset"),
            now.alias("kafka_timestamp"),
            now.alias("ingest_time"),
        ),
        0,
    )
    return lake


def _rate(ready: Bench, lake: Lake, strict_lane: StrictLane = "python") -> float:
    """Records a second from bronze to silver, into a new generation."""
    lake.ensure()
    records = lake.read(BRONZE).count()
    settings = ready.settings.refine.model_copy(update={"strict_lane": strict_lane})
    began = time.perf_counter()
    with refining(lake, load_judge(settings), settings, available_now=True) as query:
        follow(query)
    return records / (time.perf_counter() - began)
