"""The search for settings: where it ends, that it repeats, and that it stays within its bounds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest

from transforms.recommendations.search import Axis, Point, search
from transforms.recommendations.search_space import (
    WITHOUT,
    declaration_at,
    point_of,
    search_space,
)

SPACE = {"slope": Axis(0.01, 100.0, 2.0, "log"), "share": Axis(0.0, 0.9, 0.1),
         "count": Axis(0.0, 2.0, 1.0)}  # fmt: skip
START = {"slope": 1.0, "share": 0.5, "count": 1.0}


def hill(point: Point) -> float:
    """Greatest at slope 8, share 0.2, count 2."""
    return -(np.log2(point["slope"] / 8) ** 2) - (point["share"] - 0.2) ** 2 + point["count"]


def run(value: Callable[[Point], float], draws: int = 5, seed: int = 0) -> list[Point]:
    proposals = search(SPACE, START, draws=draws, generator=np.random.default_rng(seed))
    tried = [next(proposals)]
    try:
        while True:
            tried.append(proposals.send(value(tried[-1])))
    except StopIteration:
        return tried


def test_it_begins_with_the_settings_as_they_are() -> None:
    assert run(hill)[0] == START


def test_it_ends_at_the_top() -> None:
    best = max(run(hill), key=hill)
    assert best["slope"] == pytest.approx(8, rel=0.1)
    assert best["share"] == pytest.approx(0.2, abs=0.02)
    assert best["count"] == 2


def test_it_reaches_past_the_end_of_any_grid_of_one_data_set() -> None:
    """The shipped search ended at 10, where another data set's best was 30."""
    tried = run(lambda point: -abs(np.log(point["slope"] / 60)), draws=0)
    assert min(abs(np.log(point["slope"] / 60)) for point in tried) < 0.1


def test_the_same_seed_tries_the_same_and_another_seed_other_settings() -> None:
    assert run(hill) == run(hill)
    assert run(hill)[1:6] != run(hill, seed=1)[1:6]


def test_nothing_leaves_its_bounds() -> None:
    for point in run(lambda point: point["slope"] + point["share"] + point["count"], draws=50):
        for name, axis in SPACE.items():
            assert axis.lower <= point[name] <= axis.upper


def test_a_service_on_which_nothing_matters_ends_the_search_where_it_began() -> None:
    tried = run(lambda _: 0.25, draws=3)
    assert max(tried, key=lambda _: 0.25) == START
    assert len(tried) < 40


def test_a_search_goes_the_same_way_through_what_is_known() -> None:
    """An interrupted search, given the recorded values again, proposes what it would have."""
    whole = run(hill)
    proposals = search(SPACE, START, draws=5, generator=np.random.default_rng(0))
    again = [next(proposals)]
    again += [proposals.send(hill(point)) for point in islice(whole, 12)]
    assert again == whole[:13]


@pytest.mark.parametrize("algorithm", sorted(WITHOUT))
@pytest.mark.parametrize("time", [False, True])
def test_a_point_of_a_declaration_is_that_declaration(algorithm: str, *, time: bool) -> None:
    declared = {
        "algorithm": algorithm, "l2": 3.0, "dropout": 0.7, "popularity_exponent": -0.1,
        "damping": 0.3, "half_star": 1, "prior_weight": 0.2, "views_half_life_days": 5,
        "history_half_life_days": 30, "factors": 64, "next_weight": 10.0,
        "next_half_life_days": 10.0,
    }  # fmt: skip
    space = search_space(algorithm, time=time)
    assert declaration_at(point_of(declared, space), declared) == declared
    assert ("prior_weight" in space) is time
    assert ("dropout" in space) is (algorithm != "ease")


def test_a_history_that_never_fades_begins_at_the_far_end() -> None:
    space = search_space("ease", time=True)
    declared = dict.fromkeys(space, 1.0) | {"history_half_life_days": None}
    assert point_of(declared, space)["history_half_life_days"] == 2000.0
