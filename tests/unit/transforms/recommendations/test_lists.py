"""Lists, held to a plain reading of their declaration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.models import MODEL, ORDERED, TITLES
from transforms.recommendations.columns import SCORED_COLUMNS
from transforms.recommendations.contexts import CONTEXT_TYPES, DEVICE_CLASSES
from transforms.recommendations.factors import FactorModel
from transforms.recommendations.fixed_point import MODEL_ONE, PREFERENCE_ONE, SCORE_ONE
from transforms.recommendations.lists import RESUME_HALF_LIFE_S, rows_of
from transforms.recommendations.model import Model, Recommender
from transforms.recommendations.shelves import Shelf

NOW_S = 1_000_000_000
NAMES = np.asarray(TITLES)
PRIOR = np.arange(len(TITLES))[::-1] * (SCORE_ONE // 100)
FACTORS = FactorModel(NAMES, np.random.default_rng(1).normal(0, 0.3, (len(TITLES), 4)), 4.0, 0.05)
MODELS = pytest.mark.parametrize("model", [MODEL, FACTORS], ids=["item-item", "factors"])
ALL = pytest.mark.parametrize(
    "model", [MODEL, FACTORS, ORDERED], ids=["item-item", "factors", "ordered"]
)


def mask(*titles: str) -> np.ndarray:
    return np.isin(NAMES, titles)


def shelf(**changed: Any) -> Shelf:
    """All titles but t39, which was removed; t38 only in eu; t30 and t31 new."""
    everywhere = ~mask("t38", "t39")
    given: dict[str, Any] = {
        "titles": NAMES,
        "everywhere": everywhere,
        "regions": {"eu": everywhere | mask("t38"), "us": everywhere},
        "genres": np.eye(4, dtype=bool)[np.arange(len(TITLES)) % 4],
        "new": mask("t30", "t31"),
        "priors": {"": PRIOR, "region/eu": PRIOR[::-1], **dict.fromkeys(DEVICE_CLASSES, PRIOR)},
        "as_of_s": NOW_S,
        "length": 5,
        "diversity": 0.0,
    }
    return Shelf(**{**given, **changed})


def user(**changed: Any) -> dict[str, Any]:
    """Finished t00, gave up on t02, began t04 a week ago."""
    given: dict[str, Any] = {
        "user_id": "ada",
        "region": "eu",
        "titles": ["t00", "t02", "t04"],
        "weights": [4096, 2000, 4096],
        "liked": [True, False, True],
        "begun": [False, False, True],
        "last_s": [NOW_S, NOW_S, NOW_S - RESUME_HALF_LIFE_S],
        "sitting": [4096, 2867, 0],
    }
    return {**given, **changed}


def lists(model: Recommender, on: Shelf, **changed: Any) -> dict[str, list[dict[str, Any]]]:
    rows = rows_of(pd.DataFrame([user(**changed)]), model, on)
    named = [dict(zip(SCORED_COLUMNS, row, strict=True)) for row in rows]
    found = {kind: [row for row in named if row["context_type"] == kind] for kind in CONTEXT_TYPES}
    for kind, listed in found.items():
        assert [row["rank"] for row in listed] == list(range(1, len(listed) + 1)), kind
    return found


def titles(rows: list[dict[str, Any]]) -> list[str]:
    return [row["title_id"] for row in rows]


def plainly(history: dict[str, int], allowed: list[str]) -> list[str]:
    """The five best of an item-item model by plain sums, ties to the smaller id."""
    score = {
        title: sum(
            weight * int(MODEL.weights[TITLES.index(met), TITLES.index(title)])
            for met, weight in history.items()
        )
        + int(PRIOR[TITLES.index(title)])
        for title in allowed
    }
    return sorted(allowed, key=lambda title: (-score[title], title))[:5]


def test_the_homepage_is_the_best_of_what_may_be_shown() -> None:
    history = {"t00": 4096, "t02": 2000, "t04": 4096}
    allowed = [title for title in TITLES if title not in history and title != "t39"]
    found = lists(MODEL, shelf())
    assert titles(found["homepage"]) == plainly(history, allowed)
    assert titles(found["homepage:tv"]) == plainly(history, allowed)
    assert sorted(titles(found["new_releases"])) == ["t30", "t31"]


@ALL
def test_the_parts_sum_to_the_score_exactly(model: Recommender) -> None:
    rows = rows_of(pd.DataFrame([user(), user(user_id="*", **NOBODY)]), model, shelf(diversity=0.3))
    assert len(rows) > 30
    for row in rows:
        told = dict(zip(SCORED_COLUMNS, row, strict=True))
        parts = [*told["because_units"], told["others"], told["popularity"], told["resume"]]
        assert sum(parts) == told["units"]
        assert all(0 < share <= 1 for share in told["because_shares"])


def test_the_reason_is_what_sets_a_title_apart_in_its_list() -> None:
    rows = lists(MODEL, shelf(length=20))["homepage"]
    least = min(row["popularity"] for row in rows)
    assert {row["kind"] for row in rows} == {"because", "popular"}
    for row in rows:
        history = sum(row["because_units"]) + row["others"]
        is_own = bool(row["because"]) and history >= row["popularity"] - least
        assert row["kind"] == ("because" if is_own else "popular")


def test_what_was_met_last_counts_by_what_is_met_next_to_it() -> None:
    profile = ORDERED.profile({"t04": 4096, "t02": 2000, "t00": 4096})
    sitting = [4096, 2867, 2007]  # 0.7 of the one met after it, each
    rows = lists(ORDERED, shelf(), sitting=sitting)["homepage"]
    assert titles(rows)[0] == "t01"
    assert titles(lists(MODEL, shelf())["homepage"])[0] == "t06"
    for row in rows:
        place = TITLES.index(row["title_id"])
        assert row["units"] == profile.evidence[place] + PRIOR[place]


@MODELS
def test_the_score_is_that_of_the_profile(model: Recommender) -> None:
    history = {"t00": 4096, "t02": 2000, "t04": 4096}
    evidence = model.profile(history).evidence
    for row in lists(model, shelf())["homepage"]:
        place = TITLES.index(row["title_id"])
        assert row["units"] == evidence[place] + PRIOR[place]


@ALL
def test_a_batch_of_users_gets_the_lists_that_each_gets_alone(model: Recommender) -> None:
    people = [user(), user(user_id="bob", titles=["t01"], **SHORT), user(user_id="*", **NOBODY)]
    together = rows_of(pd.DataFrame(people), model, shelf())
    alone = [row for one in people for row in rows_of(pd.DataFrame([one]), model, shelf())]
    assert together == alone


SHORT = {
    "weights": [4096], "liked": [True], "begun": [False], "last_s": [NOW_S], "sitting": [4096],
}  # fmt: skip
NOBODY: dict[str, Any] = {name: [] for name in ("titles", *SHORT)}


def test_what_was_begun_continues_with_its_recency_as_a_part() -> None:
    [row] = lists(MODEL, shelf())["continue_watching"]
    assert (row["title_id"], row["kind"]) == ("t04", "resume")
    assert row["resume"] == 128 * PREFERENCE_ONE * MODEL_ONE


def test_because_you_watched_follows_the_last_title_that_was_liked() -> None:
    rows = lists(MODEL, shelf())["because_you_watched"]
    says = MODEL.weights[TITLES.index("t00")].astype(int) * 4096
    assert rows
    for row in rows:
        assert row["because"] == ["t00"]
        assert row["units"] == says[TITLES.index(row["title_id"])] > 0
    later = lists(MODEL, shelf(), last_s=[NOW_S - 5, NOW_S, NOW_S - 4])["because_you_watched"]
    assert {row["because"][0] for row in later} == {"t04"}


@pytest.mark.parametrize(
    ("region", "sees"), [("eu", True), ("us", False), (None, False), ("mars", False)]
)
def test_a_title_is_shown_where_it_is_available(region: str | None, sees: bool) -> None:
    rows = lists(MODEL, shelf(length=40), region=region)["homepage"]
    assert ("t38" in titles(rows)) is sees
    assert "t39" not in titles(rows)


def test_somebody_without_a_history_gets_what_is_popular_in_the_region() -> None:
    regional = lists(MODEL, shelf(), region="eu", **NOBODY)
    assert titles(regional["homepage"]) == ["t38", "t37", "t36", "t35", "t34"]
    assert {row["kind"] for row in regional["homepage"]} == {"regional"}
    assert (regional["continue_watching"], regional["because_you_watched"]) == ([], [])
    anywhere = lists(MODEL, shelf(), region=None, **NOBODY)
    assert titles(anywhere["homepage"]) == ["t00", "t01", "t02", "t03", "t04"]


def test_ties_go_to_the_smaller_title() -> None:
    silent = Model(NAMES, np.zeros_like(MODEL.weights))
    flat = shelf(priors={"": np.zeros_like(PRIOR), **dict.fromkeys(DEVICE_CLASSES, PRIOR)})
    assert titles(lists(silent, flat, **NOBODY)["homepage"]) == ["t00", "t01", "t02", "t03", "t04"]


def test_diversity_spreads_genres_without_changing_scores() -> None:
    plain = lists(MODEL, shelf(length=8))["homepage"]
    spread = lists(MODEL, shelf(length=8, diversity=0.9))["homepage"]
    assert len({TITLES.index(title) % 4 for title in titles(spread)[:4]}) == 4
    common = set(titles(plain)) & set(titles(spread))
    scores = [{row["title_id"]: row["units"] for row in rows} for rows in (plain, spread)]
    assert all(scores[0][title] == scores[1][title] for title in common)


def test_a_title_the_model_does_not_know_is_listed_for_its_views() -> None:
    wider = np.asarray([*TITLES, "unheard of"])
    prior = np.append(PRIOR, PRIOR.max() * 100)
    on = shelf(
        titles=wider,
        everywhere=np.ones(len(wider), bool),
        regions={},
        genres=np.zeros((len(wider), 1), bool),
        new=np.zeros(len(wider), bool),
        priors={"": prior, **dict.fromkeys(DEVICE_CLASSES, prior)},
    )
    for model in (MODEL.reindex(wider), FACTORS.reindex(wider)):
        first = lists(model, on)["homepage"][0]
        assert (first["title_id"], first["popularity"]) == ("unheard of", prior[-1])


def test_a_history_that_has_faded_away_leaves_popularity() -> None:
    rows = lists(MODEL, shelf(), weights=[0, 0, 0])
    assert all(row["because"] == [] for row in rows["homepage"])
    assert rows["because_you_watched"] == []
