"""Assignment: independence and shares are held to chi-square at 1 in 10,000, on fixed users."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from time import perf_counter

import pytest
import scipy.stats

from tests.support.experiment_documents import changed, documents
from transforms.experiments.assignment import (
    assign,
    bucket,
    hashed_variant,
    is_held_out,
    misassigned,
)
from transforms.experiments.definitions import catalogue
from transforms.experiments.validation import BUCKETS, DefinitionError

USERS = [f"user_{i}" for i in range(20_000)]
DEFINITIONS = catalogue(documents())
ROWS = DEFINITIONS.experiment("rows")
FIRST_STEP, SECOND_STEP = (step.at for step in ROWS.traffic)
START, END = ROWS.start, ROWS.end


def variants(at: datetime, definitions=DEFINITIONS, experiment="rows") -> dict[str, str | None]:
    return {user: assign(user, experiment, definitions, at=at) for user in USERS}


def test_buckets_never_change():
    """By sha256sum of salt, a zero byte and the user: the first 16 hex digits, mod 10,000."""
    assert [bucket("salt", user) for user in ("user_1", "user_2", "émile")] == [881, 893, 6290]


def test_variants_get_the_shares_of_their_weights():
    counts = Counter(hashed_variant(ROWS, user) for user in USERS)

    assert scipy.stats.chisquare([counts["control"], counts["new"]]).pvalue > 1e-4


def test_uneven_weights_are_kept_too():
    weights = {"control": Decimal("0.7"), "new": Decimal("0.25"), "other": Decimal("0.05")}
    uneven = changed(
        "rows.yaml:variants", [{"name": name, "weight": w} for name, w in weights.items()]
    )
    experiment = catalogue(uneven).experiment("rows")

    counts = Counter(hashed_variant(experiment, user) for user in USERS)

    observed = [counts[name] for name in weights]
    assert (
        scipy.stats.chisquare(observed, [20_000 * float(w) for w in weights.values()]).pvalue > 1e-4
    )


def test_a_ramp_only_ever_adds_users_and_moves_none():
    instants = [START, FIRST_STEP + timedelta(days=1), SECOND_STEP, END - timedelta(seconds=1)]
    looks = [variants(at) for at in instants]

    for before, after in pairwise(looks):
        assert {user: v for user, v in before.items() if v} == {
            user: after[user] for user, v in before.items() if v
        }
    assert sum(map(bool, looks[-1].values())) > 4 * sum(map(bool, looks[0].values()))


def test_more_buckets_move_nobody():
    wider = catalogue(changed("rows.yaml:buckets", [0, 9000]))
    before, after = variants(SECOND_STEP), variants(SECOND_STEP, wider)

    assert all(after[user] == variant for user, variant in before.items() if variant)


@pytest.mark.parametrize("at", [START - timedelta(microseconds=1), END, END + timedelta(days=1)])
def test_nobody_takes_part_outside_its_time(at):
    assert set(variants(at).values()) == {None}


def test_neighbours_in_a_layer_share_no_user_and_leave_none_out():
    tree = changed("rows.yaml:traffic", [{"at": "2026-01-05T00:00:00Z", "share": 1}])
    tree["cols.yaml"] = {**tree["rows.yaml"], "id": "cols", "buckets": [5000, BUCKETS]}
    definitions = catalogue(tree)

    for user in USERS:
        taken = [assign(user, name, definitions, at=START) for name in ("rows", "cols")]
        assert taken.count(None) == 1 + is_held_out(user, "home", definitions)


def test_a_holdout_keeps_its_share_of_users_out_of_its_layers_alone():
    out = [user for user in USERS if is_held_out(user, "home", DEFINITIONS)]

    assert scipy.stats.binomtest(len(out), len(USERS), 0.1).pvalue > 1e-4
    assert not any(is_held_out(user, "player", DEFINITIONS) for user in out)
    assert {assign(user, "rows", DEFINITIONS, at=SECOND_STEP) for user in out} == {None}


def test_the_answers_to_all_questions_are_independent_of_each_other():
    """Every pair of two experiments' variants, the ramp, the layer and the holdout."""
    second = ROWS.model_copy(update={"salt": "second"})
    answers = {
        "variant": [hashed_variant(ROWS, user) == "new" for user in USERS],
        "second": [hashed_variant(second, user) == "new" for user in USERS],
        "traffic": [bucket("rows/traffic", user) < BUCKETS / 2 for user in USERS],
        "layer": [bucket("h1/layer", user) < BUCKETS / 2 for user in USERS],
        "holdout": [is_held_out(user, "home", DEFINITIONS) for user in USERS],
    }
    for one, other in combinations(answers.values(), 2):
        table = Counter(zip(one, other, strict=True))
        cells = [[table[a, b] for b in (False, True)] for a in (False, True)]
        assert scipy.stats.chi2_contingency(cells).pvalue > 1e-4


@pytest.mark.parametrize(
    ("context", "takes_part"),
    [
        ({"region": "de", "device": "tv"}, True),
        ({"region": "us", "device": "tv"}, False),
        ({"region": "de"}, False),
        (None, False),
    ],
)
def test_only_the_population_takes_part(context, takes_part):
    definitions = catalogue(
        changed("rows.yaml:population", {"region": ["de", "fr"], "device": ["tv"]})
    )
    insider = next(user for user, variant in variants(SECOND_STEP).items() if variant)

    variant = assign(insider, "rows", definitions, at=SECOND_STEP, context=context)

    assert (variant is not None) is takes_part


def test_an_experiment_without_a_definition_is_an_error():
    with pytest.raises(DefinitionError, match="unknown experiment 'raws'; known: rows"):
        assign("user_1", "raws", DEFINITIONS, at=START)


def test_the_audit_finds_recorded_variants_that_the_hash_contradicts():
    truth = [(user, hashed_variant(ROWS, user)) for user in USERS[:50]]
    wrong = ("user_7", "new" if hashed_variant(ROWS, "user_7") == "control" else "control")

    assert misassigned(ROWS, truth) == []
    assert misassigned(ROWS, [*truth, wrong]) == [(*wrong, hashed_variant(ROWS, "user_7"))]


def test_an_assignment_takes_microseconds():
    """A thousand times under the 10 ms that an application may wait, at the 99th percentile."""
    seconds = []
    for user in USERS[:5000]:
        began = perf_counter()
        assign(user, "rows", DEFINITIONS, at=SECOND_STEP)
        seconds.append(perf_counter() - began)

    assert sorted(seconds)[4950] < 0.01
