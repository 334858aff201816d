"""The replay report: changes are planted in a second generation, and each figure is exact."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from jobs.compare import main
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.generations import Action, record_action
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER, PARTIALS, RECOMMENDATIONS, TABLES
from jobs.runtime.recompute.impact import Decisions, changed_lists, impact
from jobs.runtime.recompute.impact_page import impact_document, write_impact
from tests.oracles.strict_json import EPOCH
from tests.support.attribution_cases import END, START, documents
from tests.support.lakes import MakeLake
from transforms.experiments.definitions import catalogue

PLANNED = documents()
PLANNED["delay.yaml"]["plan"] = {"minimum_units": 2}
DEFINED = catalogue(PLANNED)
AT = EPOCH + timedelta(microseconds=END)
EXPOSED = EPOCH + timedelta(microseconds=START)
FEATURES, BUSINESS = "gold.user_features", "gold.business_day"
Row = Mapping[str, Any]


def put(lake: Lake, table: str, rows: Sequence[Row]) -> None:
    lake.ensure([table])
    names = TABLES[table].columns
    frame = lake.spark.createDataFrame(
        [tuple(row.get(name) for name in names) for row in rows], TABLES[table].schema
    )
    lake.replace(table, frame, Transaction("test", 1))


def user(user_id: str, plays: int, completions: int, watch_s: int, title: str | None) -> Row:
    last = None if title is None else (EXPOSED, "e", title, "mobile", "movie")
    numbers = {"plays": plays, "completions": completions, "watch_s": watch_s}
    return {"user_id": user_id, **numbers, "last_play": last}


def top(user_id: str, titles: str, made_by: str, context: str = "homepage") -> list[Row]:
    origin = ("m", made_by, "{}", "{}")
    return [
        {
            "user_id": user_id,
            "context_type": context,
            "rank": rank,
            "title_id": title,
            "built_from": origin,
        }
        for rank, title in enumerate(titles, start=1)
    ]


def arm(variant: str, users: int, state: str = "attributed") -> list[Row]:
    return [
        {
            "experiment_id": "delay",
            "user_id": f"{variant} {state} {number}",
            "state": state,
            "variant": variant,
            "exposed_at": EXPOSED,
            "variants": [variant],
            "totals": {"clicked": number % 2},
            "samples": {},
            "definition_hash": DEFINED.definition_hash("delay"),
        }
        for number in range(users)
    ]


def day(number: int, plays: int, watch_s: int, recommended: int, region: str = "eu") -> Row:
    counts = {"plays": plays, "completions": 1, "watch_s": watch_s}
    shares = {
        "recommended_plays": recommended,
        "recommended_completions": 0,
        "recommended_watch_s": 0,
        "recommended_clicks": recommended,
        "recommended_click_ranks": 2 * recommended,
    }
    sets = {"recommended_titles": ["t"], "viewers": ["a"]}
    return {"date": date(2026, 9, number), "region": region, **counts, **shares, **sets}


def test_each_planted_change_is_in_its_figure(lakes: MakeLake, tmp_path: Path) -> None:
    old = lakes(Lake)
    new = old.of_generation(2)
    new.ensure([PARTIALS, "silver.models", "silver.catalog"])
    record_action(old, 2, Action.BUILDING, bronze_version=0)
    record_action(old, 2, Action.BUILT)

    put(old, FEATURES, [
        user("ada", 100, 100, 1000, "t1"),
        user("bob", 20, 10, 500, "t1"),
        user("cyd", 3, 0, 0, None),
    ])  # fmt: skip
    put(new, FEATURES, [
        user("ada", 105, 106, 949, "t1"),  # 5 % is not more than 5 %, 6 % and -5.1 % are
        user("bob", 20, 10, 500, "t2"),
        user("dan", 0, 0, 0, None),
    ])  # fmt: skip
    put(old, RECOMMENDATIONS, [
        *top("ada", "abcd", "1"), *top("bob", "abcd", "1"), *top("cyd", "abcd", "1"),
        *top("bob", "xy", "1", "search"),
    ])  # fmt: skip
    put(new, RECOMMENDATIONS, [
        *top("ada", "acb", "2"), *top("bob", "abz", "2"), *top("cyd", "abce", "2"),
        *top("dan", "q", "2", "search"),
    ])  # fmt: skip
    put(old, EXPERIMENT_USER, arm("control", 40) + arm("new", 40))
    put(new, EXPERIMENT_USER,
        arm("control", 40) + arm("new", 40) + arm("new", 20, "contaminated"))  # fmt: skip
    put(old, BUSINESS, [day(1, 10, 100, 2), day(1, 5, 50, 1, "us"), day(2, 7, 70, 0)])
    put(new, BUSINESS, [day(1, 10, 100, 2), day(1, 5, 40, 1, "us"), day(3, 1, 10, 1)])

    found = impact(old, 1, 2, DEFINED, percent=5, top=3, at=AT)

    assert found.users == 4
    assert found.moved == {
        "plays": 1,  # cyd
        "completions": 1,  # ada
        "watch_s": 1,  # ada
        "last_play_title_id": 1,  # bob
        "last_play_device_type": 0,
        "last_play_content_type": 0,
        "any": 3,  # dan has nothing that moved
    }
    assert found.lists == [
        {"context_type": "homepage", "lists": 3, "changed": 2, "titles": 9, "replaced": 1},
        {"context_type": "search", "lists": 2, "changed": 2, "titles": 2, "replaced": 2},
    ]
    assert found.decisions == [Decisions("delay", "keep_running", "invalid")]
    assert [one.flipped for one in found.decisions] == [True]
    assert found.total("plays") == (22, 16)
    assert found.total("watch_s") == (220, 150)
    assert found.total("recommended_plays") == (3, 4)
    assert [(str(d["date"]), d["old_watch_s"], d["new_watch_s"]) for d in found.days] == [
        ("2026-09-01", 150, 140),
        ("2026-09-02", 70, 0),
        ("2026-09-03", 0, 10),
    ]
    assert impact_document(found)["totals"]["plays"] == (22, 16)
    page = tmp_path / "impact.html"
    write_impact(found, page)
    text = page.read_text(encoding="utf-8")
    assert "keep_running" in text
    assert "<script src" not in text
    assert json.loads(page.with_suffix(".json").read_text())["moved"] == found.moved

    new.replace(RECOMMENDATIONS, old.read(RECOMMENDATIONS), Transaction("test", 2))
    assert changed_lists(old, new, 3) is None, "lists that were carried over are not its own"

    same_name = CliRunner().invoke(main, ["1", "2", "--page", "impact.json"])
    assert "'impact.json' is where the page's JSON goes: name a .html file" in same_name.stderr

    refused = CliRunner().invoke(main, ["1", "7", "--set", f"lake.root={old.root}"])
    assert refused.exit_code == 2
    assert "the lake has no gold of generation 7 -> compare two of: 1, 2" in refused.stderr
