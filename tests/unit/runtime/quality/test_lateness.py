"""The late ledger counts what the written rule says, event by event in order of arrival."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.lateness import main
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from tests.oracles.as_of import COMPLETED, STARTED, Event
from tests.oracles.strict_json import EPOCH
from tests.support.lakes import MakeLake
from tests.support.silver_frames import frame
from tests.support.strategies import MINUTE, NOON

SECOND = 1_000_000
DELAYS_S = (1, 60, 3600, 86_400)
BACK = (0, 1, SECOND, SECOND + 1, MINUTE, MINUTE + 1, 3600 * SECOND, 90_000 * SECOND)


@pytest.fixture(scope="module")
def history() -> list[Event]:
    """Arrivals over ten minutes, ties among them, of events from before, then and a bit ahead."""
    chance = random.Random(5)
    return [_event(chance, number) for number in range(400)]


def expected(history: list[Event]) -> tuple[Counter[str], dict[str, int]]:
    """docs/semantics.md, Lateness, in plain Python: counts by name, and the greatest measures."""
    counts: Counter[str] = Counter()
    greatest = {"behind_us": 0, "delay_us": -(10**18)}
    newest: int | None = None
    for event in sorted(history, key=lambda e: (e["arrival"], e["place"])):
        at, watched = event["event_time"], event.get("watch_s", 0)
        behind = max(0, newest - at) if newest is not None else 0
        delay = event["arrival"] - at
        greatest = {
            "behind_us": max(greatest["behind_us"], behind),
            "delay_us": max(greatest["delay_us"], delay),
        }
        counts["events"] += 1
        counts["watch_s"] += watched
        for d in DELAYS_S:
            for rule, measure in (("watermark", behind), ("lookback", delay)):
                if measure > d * SECOND:
                    counts[f"{rule}_{d}s_events"] += 1
                    counts[f"{rule}_{d}s_watch_s"] += watched
        newest = at if newest is None else max(newest, at)
    return counts, greatest


def test_the_ledger_is_that_of_the_oracle(
    lakes: MakeLake, history: list[Event], tmp_path: Path
) -> None:
    lake = lakes(Lake)
    lake.append("silver.playback", frame(lake.spark, "playback", history), Transaction("test", 0))
    page = tmp_path / "late.html"
    delays = [option for d in DELAYS_S for option in ("--delay", f"{d}s")]
    options = ["--json", "--page", str(page), "--set", f"lake.root={lake.root}"]
    result = CliRunner().invoke(main, [*delays, *options])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)

    counts, greatest = expected(history)
    assert found["events"] == counts["events"]
    assert found["watch_s"] == counts["watch_s"]
    missed = {
        f"{m['rule']}_{m['delay_s']}s_{what}": m[what]
        for m in found["missed"]
        for what in ("events", "watch_s")
    }
    assert missed == {name: counts[name] for name in missed}
    assert min(missed[f"{rule}_86400s_events"] for rule in ("watermark", "lookback")) > 0
    assert found["longest_s"] == {
        "watermark": -(-greatest["behind_us"] // SECOND),
        "lookback": -(-greatest["delay_us"] // SECOND),
    }
    by_date = Counter(
        str((EPOCH + timedelta(microseconds=e["event_time"])).date()) for e in history
    )
    assert {day["date"]: day["events"] for day in found["days"]} == by_date
    assert "<script src" not in page.read_text(encoding="utf-8")


def test_a_delay_is_a_number_and_a_unit() -> None:
    result = CliRunner().invoke(main, ["--delay", "1.5h"])
    assert (result.exit_code, "not a duration such as 90s" in result.output) == (2, True)


def _event(chance: random.Random, number: int) -> dict[str, Any]:
    arrival = NOON + chance.randrange(40) * 15 * SECOND
    completed = chance.random() < 0.5
    return {
        "event_id": f"e{number}",
        "event_type": COMPLETED if completed else STARTED,
        "user_id": "ada",
        "event_time": arrival - chance.choice(BACK) + chance.choice((0, 0, 0, 2 * SECOND)),
        "arrival": arrival,
        "place": (chance.choice("ab"), chance.randrange(2), chance.randrange(10**6)),
        **({"watch_s": chance.randrange(7200)} if completed else {}),
    }
