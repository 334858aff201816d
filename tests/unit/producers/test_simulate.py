"""Simulated events: sound unless afflicted, the same for a seed, and told truly."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from jobs.producers.fault_kinds import FAULT_KINDS, SOUND, Draw
from jobs.producers.faults import WAYS, Faults, Truth
from jobs.producers.population import CHUNK, Population
from jobs.producers.records import ROUTES, Record
from jobs.producers.simulation import Clock, Simulation
from jobs.runtime.errors import SettingsError
from tests.support.contracts import SCHEMAS, assert_in_order, assert_sound, schema

START = 1_790_000_000_000_000
EVENTS = CHUNK + 1000
EVERY_FAULT = ",".join(f"{name}=0.05" for name in WAYS)


def simulated(
    seed: int = 0, events: int = EVENTS, faults: str = "", start: int = START
) -> Simulation:
    population = Population(users=200, titles=50, seed=seed)
    return Simulation(population, events, Clock(start, 1000), Faults.parse(faults, seed))


def all_records(run: Simulation) -> list[Record]:
    return [record for chunk in range(run.chunks) for record in run.records(chunk)]


def test_every_event_type_keeps_its_contract():
    told = {assert_sound(*record)["eventType"] for record in all_records(simulated())}
    assert told == set(ROUTES)


def test_events_are_written_as_serializers_write_them():
    for record in all_records(simulated(faults="old_versions=0.5")):
        assert_in_order(record.value)


@pytest.mark.parametrize("event_type", ROUTES)
def test_routes_are_those_of_the_contracts(event_type):
    newest = max((SCHEMAS / event_type).glob("*.json")).stem
    contract, route = schema(event_type, newest), ROUTES[event_type]
    assert route.topic in contract["x-topics"]
    assert (route.key, route.family) == (contract["x-key"], contract["x-family"])


def test_the_same_seed_gives_the_same_bytes_in_any_order_of_chunks():
    run = simulated(seed=3, faults=EVERY_FAULT)
    forward = [run.records(chunk) for chunk in (0, 1)]
    assert [simulated(seed=3, faults=EVERY_FAULT).records(chunk) for chunk in (1, 0)] == [
        forward[1],
        forward[0],
    ]


def test_another_seed_gives_other_events():
    ids = [
        {json.loads(record.value)["eventId"] for record in all_records(simulated(seed))}
        for seed in (1, 2)
    ]
    assert len(ids[0]) == len(ids[1]) == EVENTS
    assert not ids[0] & ids[1]


def test_another_time_gives_the_same_event_ids():
    now, later = (all_records(simulated(start=start)) for start in (START, START + 10**9))
    assert [json.loads(r.value)["eventId"] for r in now] == [
        json.loads(r.value)["eventId"] for r in later
    ]
    assert now != later


def test_event_number_i_happens_at_start_plus_i_steps():
    times = [json.loads(record.value)["timestamp"] for record in all_records(simulated(events=3))]
    assert times == [
        "2026-09-21T14:13:20.000Z",
        "2026-09-21T14:13:20.001Z",
        "2026-09-21T14:13:20.002Z",
    ]


def test_faults_leave_the_other_events_as_they_are():
    sound, afflicted = all_records(simulated()), all_records(simulated(faults=EVERY_FAULT))
    untouched = set(sound) & set(afflicted)
    assert 0.6 * EVENTS < len(untouched) < 0.8 * EVENTS


def test_the_truth_is_that_of_the_records_sent():
    run = simulated(faults=EVERY_FAULT)
    records, told = all_records(run), run.truth()
    assert told.records == len(records)
    assert told.duplicates == len(records) - len(set(records)) > 0
    assert sum(told.silver.values()) + sum(told.quarantined.values()) + told.duplicates == len(
        records
    )
    assert set(told.faults) == set(WAYS)


def test_without_faults_everything_goes_to_silver():
    told = simulated().truth()
    assert sum(told.silver.values()) == EVENTS == told.records
    assert (told.quarantined, told.duplicates, told.faults) == (Counter(), 0, Counter())


@pytest.fixture(scope="module")
def started() -> Record:
    records = all_records(simulated(events=200))
    return next(r for r in records if json.loads(r.value)["eventType"] == "VideoPlaybackStarted")


@pytest.mark.parametrize(
    "affliction", [a for a in FAULT_KINDS if a.reason is None], ids=lambda each: each.fault
)
def test_what_ends_in_silver_keeps_its_contract(affliction, started):
    for _, record in affliction.deliver(started, Draw(0.5, START)):
        assert_sound(*record)


def test_old_versions_tell_the_same_play(started):
    old = [a for a in FAULT_KINDS if a.fault == "old_versions"]
    versions = [
        json.loads(record.value)["version"]
        for affliction in old
        for _, record in affliction.deliver(started, Draw(0.5, START))
    ]
    assert versions == ["2.0", "1.0"]


def test_late_is_earlier_by_at_most_three_days(started):
    (late,) = [a for a in FAULT_KINDS if a.fault == "late"]
    [(delay, record)] = late.deliver(started, Draw(0.5, START))
    assert delay == 0
    assert json.loads(record.value)["timestamp"].startswith("2026-09-20T02:13:20")


def test_an_event_has_at_most_one_fault_and_shares_are_kept():
    lots = Faults.parse("late=0.25,wrong_key=0.5", seed=1).draw(["UserEngagement"] * 10_000, 0)
    faults = Counter(FAULT_KINDS[lot.code].fault for lot in lots if lot.code != SOUND)
    assert faults["late"] == pytest.approx(2500, rel=0.1)
    assert faults["wrong_key"] == pytest.approx(5000, rel=0.1)
    assert set(faults) == {"late", "wrong_key"}


def test_old_versions_befall_playback_starts_only():
    kinds = ["VideoPlaybackStarted", "UserEngagement"] * 500
    told = Truth()
    told.add(kinds, Faults.parse("old_versions=1", seed=0).draw(kinds, 0))
    assert told.faults == Counter(old_versions=500)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("duplicate=0.1", "unknown fault 'duplicate'"),
        ("late", "late has the share ''"),
        ("late=often", "late has the share 'often'"),
        ("late=1.5", "late has the share '1.5'"),
        ("late=nan", "late has the share 'nan'"),
        ("late=0.6,malformed=0.6", "sum to more than 1"),
    ],
)
def test_a_wrong_fault_is_refused_in_one_line(text, problem):
    with pytest.raises(SettingsError, match=problem):
        Faults.parse(text, seed=0)
