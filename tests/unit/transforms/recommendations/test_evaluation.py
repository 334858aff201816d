"""The arena of a trial, the baseline in it, and the summary of a trial."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from transforms.recommendations.declaration import (
    declared_reading,
    declared_solver,
    declared_weighting,
    history_half_life_s,
    next_weight,
    views_half_life_s,
)
from transforms.recommendations.evaluation import (
    ACCURACY,
    TITLE_BANDS,
    arena_at_cut,
    contender_in,
    popularity_in,
    sparse_matrix,
)
from transforms.recommendations.fixed_point import VIEW_ONE
from transforms.recommendations.model import Model
from transforms.recommendations.solvers import Ease, Edlae, Solver, SquaredSpectrum
from transforms.recommendations.temporal_split import cut_after
from transforms.recommendations.trial import Trial, metrics_of

CATALOGUE = pd.DataFrame({"title_id": ["c", "a"], "genres": [["Drama"], None]})
VIEWERS = pd.DataFrame({"title_id": ["b", "a"], "count": [3, 1]})
ARENA = arena_at_cut(np.asarray(["b", "a", "d"]), VIEWERS, 4, CATALOGUE)


def test_an_arena_holds_what_was_met_and_what_the_catalogue_holds() -> None:
    assert ARENA.titles.tolist() == ["a", "b", "c", "d"]
    assert ARENA.viewers.tolist() == [1, 3, 0, 0]
    assert ARENA.bands.tolist() == ["tail", "tail", "new", "new"]
    assert ARENA.genres.tolist() == [[False], [False], [True], [False]]


def test_popularity_is_a_model_that_says_nothing_and_the_order_of_views() -> None:
    baseline = popularity_in(ARENA, np.asarray([2, 1, 4, 3]) * VIEW_ONE)
    history = sparse_matrix(ARENA.titles, pd.Series([["a", "b"]]), pd.Series([[16, 16]]))
    assert not baseline.model.scores(history).any()
    assert np.argsort(-baseline.prior).tolist() == [2, 3, 0, 1]


def test_a_contender_is_silent_on_titles_that_it_does_not_know() -> None:
    known = Model(np.asarray(["b", "x"]), np.zeros((2, 2), np.int32))
    rival = contender_in(ARENA, known, np.asarray([7, 9]))
    assert rival.model.titles.tolist() == ARENA.titles.tolist()
    assert rival.prior.tolist() == [0, 7, 0, 0]


def test_the_summary_of_a_trial_names_contender_segment_and_band() -> None:
    rows = pd.DataFrame(
        {
            "contender": ["challenger", "challenger", "popularity"],
            "segment": ["new", "heavy", "new"],
            **{name: [0.2, 0.4, 0.1] for name in (*ACCURACY, "novelty")},
            "diversity": [None, None, 0.5],
            **{f"hits_{band}": [1, 1, 0] for band in TITLE_BANDS},
            **{f"relevant_{band}": [2, 2, 0] for band in TITLE_BANDS},
        }
    )
    found = metrics_of(Trial(rows, {"challenger": 0.5}, 0))
    assert found["ndcg"] == pytest.approx(0.3)
    assert found["ndcg.heavy_users"] == 0.4
    assert (found["users.new"], found["coverage"], found["popularity.coverage"]) == (1, 0.5, 0)
    assert found["recall.head_titles"] == 0.5
    assert found["popularity.diversity"] == 0.5
    assert not {"diversity", "popularity.recall.head_titles"} & found.keys()


@pytest.mark.parametrize(
    ("algorithm", "solver"),
    [
        ("ease", Ease(2.0)),
        ("edlae", Edlae(2.0, 0.5)),
        ("squared_spectrum", SquaredSpectrum(2.0, 0.5, -0.2)),
    ],
)
def test_a_declaration_names_its_solver(algorithm: str, solver: Solver) -> None:
    declared = {"algorithm": algorithm, "l2": 2.0, "dropout": 0.5, "popularity_exponent": -0.2}
    assert declared_solver({**declared, "l2_per": "meeting"}) == solver
    before_units = declared_solver(declared)
    assert before_units == replace(solver, per="title")  # type: ignore[type-var]


def test_a_declaration_of_an_earlier_version_means_what_it_meant() -> None:
    declared = {"history_half_life_days": 30}
    assert declared_weighting(declared).half_star == 1
    assert declared_reading(declared).sitting_half_life_s == math.inf
    assert next_weight(declared) == 0


def test_a_history_without_a_half_life_never_fades() -> None:
    assert history_half_life_s({"history_half_life_days": None}) == math.inf
    assert history_half_life_s({"history_half_life_days": 2}) == 172_800
    assert views_half_life_s({"views_half_life_days": 0.5}) == 43_200


@pytest.mark.parametrize(("micros", "second"), [(0, 1), (999_999, 1), (1_000_000, 2)])
def test_a_cut_lies_after_the_last_meeting_before_it(micros: int, second: int) -> None:
    assert cut_after(micros) == second
