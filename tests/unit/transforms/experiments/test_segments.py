from __future__ import annotations

import pytest

from tests.support.experiment_arms import arm, definitions
from transforms.experiments.effects import Undefined, compare
from transforms.experiments.estimators import estimator_of
from transforms.experiments.inference import AlwaysValid
from transforms.experiments.multiplicity import holm
from transforms.experiments.segments import segment_effects

KNOWN = definitions()
ROWS = KNOWN.experiments["rows"]
SEGMENTS = {
    "tv": {"control": arm(1), "new": arm(2, plays=6)},
    "mobile": {"control": arm(3), "new": arm(4)},
    "web": {"control": arm(5, users=1), "new": arm(6)},
    "watch": {"control": arm(7)},
}


@pytest.fixture(scope="module")
def found():
    return {one.segment: one for one in segment_effects(ROWS, KNOWN.metrics, SEGMENTS)}


def test_a_segment_has_the_effect_of_its_own_users(found):
    estimator = estimator_of("plays", KNOWN.metrics["plays"])
    arms = SEGMENTS["tv"]
    effect = compare(arms["control"].sums, arms["new"].sums, estimator, relative=True)
    assert found["tv"].lift.value == effect.estimate
    assert found["tv"].users == (2000, 2000)


def test_p_values_are_corrected_over_all_segments(found):
    procedure = AlwaysValid(ROWS.plan.alpha, ROWS.plan.tuning_units)
    estimator = estimator_of("plays", KNOWN.metrics["plays"])
    alone = [
        procedure.p_value(compare(arms["control"].sums, arms["new"].sums, estimator, relative=True))
        for arms in (SEGMENTS["mobile"], SEGMENTS["tv"])
    ]
    assert [found[name].adjusted_p_value for name in ("mobile", "tv")] == holm(alone)


def test_a_segment_that_is_too_small_has_a_state_and_no_number(found):
    for name in ("web", "watch"):
        assert isinstance(found[name].lift, Undefined)
        assert found[name].adjusted_p_value is None


def test_no_segments_at_all():
    assert segment_effects(ROWS, KNOWN.metrics, {}) == []
