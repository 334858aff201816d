"""TODO."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tests.support.experiment_arms import arm, definitions
from tests.support.experiment_documents import changed
from transforms.experiments.analysis import Evidence, ExperimentResult, Observed, analyse
from transforms.experiments.decision import Decision, Goal, Guardrail, Reason, Verdict
from transforms.experiments.definitions import Catalogue, catalogue
from transforms.experiments.effects import Undefined, compare, mean
from transforms.experiments.estimators import ArmData, estimator_of
from transforms.experiments.inference import AlwaysValid
from transforms.experiments.power import minimum_detectable_effect
from transforms.experiments.quantiles import sample_quantile
from transforms.experiments.sums import Sums
from transforms.experiments.validation import DefinitionError

WEEK_1, AFTER_END = datetime(2026, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)


def analysed(
    control: ArmData | None,
    new: ArmData | None,
    at: datetime = WEEK_1,
    known: Catalogue | None = None,
    **differs: Any,
) -> ExperimentResult:
    known = known or definitions()
    arms = {name: a for name, a in (("control", control), ("new", new)) if a is not None}
    return analyse(known.experiment("rows"), known.metrics, Observed(at, arms, **differs))


def test_an_improvement_with_a_guardrail_that_holds_ships():
    result = analysed(arm(1), arm(2, plays=6))

    assert [r.judgement for r in result.results] == [Goal.IMPROVED, Guardrail.HOLDS]
    assert result.decision == Decision(Verdict.SHIP, (Reason.GOAL_IMPROVED,))


def test_no_difference_keeps_running_until_the_last_window_has_closed():
    last_outcome = datetime(2026, 2, 2, tzinfo=UTC) + timedelta(days=8)
    just_before = analysed(arm(1), arm(3), last_outcome - timedelta(seconds=1))
    at_end = analysed(arm(1), arm(3), last_outcome)

    assert just_before.decision == Decision(Verdict.KEEP_RUNNING, (Reason.GOALS_UNDECIDED,))
    assert at_end.decision == Decision(Verdict.STOP, (Reason.NO_GOAL_IMPROVED,))


def test_a_broken_guardrail_stops_an_improvement():
    assert analysed(arm(1), arm(2, plays=6, back=0.3)).decision == Decision(
        Verdict.STOP, (Reason.GUARDRAIL_BROKEN,)
    )


def test_a_fixed_horizon_says_nothing_before_its_end():
    fixed = definitions(procedure="fixed_horizon")
    arms = arm(1), arm(2, plays=6)

    assert analysed(*arms, known=fixed).decision.verdict is Verdict.KEEP_RUNNING
    assert analysed(*arms, AFTER_END, fixed).decision.verdict is Verdict.SHIP


@pytest.mark.parametrize(
    ("control", "new", "differs", "reasons"),
    [
        (arm(1, 2400), arm(2, 1600), {}, [Reason.SAMPLE_RATIO_MISMATCH]),
        (arm(1), arm(2), {"contaminated": 41}, [Reason.CONTAMINATION]),
        (arm(1, 60), arm(2, 60), {}, [Reason.TOO_FEW_UNITS]),
        (arm(1), arm(2), {"overlapping_changes": ("model 7",)}, [Reason.OVERLAPPING_CHANGE]),
        (arm(1), None, {}, [Reason.SAMPLE_RATIO_MISMATCH, Reason.TOO_FEW_UNITS]),
        (None, None, {}, [Reason.TOO_FEW_UNITS]),
    ],
)
def test_an_experiment_that_cannot_be_believed_is_invalid(control, new, differs, reasons):
    assert analysed(control, new, **differs).decision == Decision(Verdict.INVALID, tuple(reasons))


def test_one_user_in_a_hundred_in_two_variants_is_tolerated():
    assert analysed(arm(1), arm(2, plays=6), contaminated=40).decision.verdict is Verdict.SHIP


def test_the_numbers_are_those_of_the_statistics():
    control, new = arm(1), arm(2, plays=5.2)
    lift = compare(control.sums, new.sums, mean("plays", "plays_before"), relative=True)
    procedure = AlwaysValid(0.05, 4000)

    plays, _ = analysed(control, new).results

    assert (plays.control, plays.treatment) == tuple(
        float(a.sums.mean("plays")) for a in (control, new)
    )
    assert (plays.evidence.lift.value, plays.evidence.lift.lower, plays.evidence.lift.upper) == (
        lift.estimate,
        *procedure.interval(lift),
    )
    assert plays.evidence.lift.p_value == procedure.p_value(lift)


class TestTwoVariants:
    @pytest.fixture(scope="class")
    def arms(self) -> dict[str, ArmData]:
        return {"control": arm(1, 2000), "new": arm(2, 1000, 5.5), "newer": arm(3, 1000, 5.4)}

    @pytest.fixture(scope="class")
    def result(self, arms) -> ExperimentResult:
        weights = {"control": 0.5, "new": 0.25, "newer": 0.25}
        variants = [{"name": name, "weight": weight} for name, weight in weights.items()]
        known = catalogue(changed("rows.yaml:variants", variants))
        return analyse(known.experiment("rows"), known.metrics, Observed(WEEK_1, arms))

    def test_p_values_are_corrected_over_goals_but_not_guardrails(self, result):
        goals = [r.evidence for r in result.results if isinstance(r.judgement, Goal)]
        guards = [r.evidence for r in result.results if isinstance(r.judgement, Guardrail)]
        least = min(goals, key=lambda evidence: evidence.lift.p_value)

        assert least.adjusted_p_value == 2 * least.lift.p_value
        assert [g.adjusted_p_value for g in guards] == [g.lift.p_value for g in guards]

    def test_what_is_detectable_allows_for_the_correction(self, arms, result):
        lift = compare(arms["control"].sums, arms["new"].sums, mean("plays"), relative=True)
        corrected = AlwaysValid(0.05 / 2, 5000)

        assert result.results[0].evidence.minimum_detectable_lift == minimum_detectable_effect(
            corrected, lift
        )


def test_less_is_better_where_the_metric_says_so():
    known = definitions()
    lower = catalogue(changed("metrics.yaml:metrics/plays/better", "lower"))
    arms = {"control": arm(1), "new": arm(2, plays=6)}

    chances = [
        analyse(c.experiment("rows"), c.metrics, Observed(WEEK_1, arms)).results[0]
        for c in (known, lower)
    ]

    assert [r.judgement for r in chances] == [Goal.IMPROVED, Goal.WORSENED]
    assert chances[0].evidence.chance_to_win > 0.99
    assert chances[1].evidence.chance_to_win < 0.01


def test_days_to_decision_follow_the_pace_of_users_so_far():
    plays, _ = analysed(arm(1), arm(3)).results
    slower, _ = analysed(arm(1), arm(3), WEEK_1 + timedelta(days=7)).results

    assert plays.evidence.days_to_decision > 0
    assert slower.evidence.days_to_decision == pytest.approx(
        2 * plays.evidence.days_to_decision, abs=2
    )


def test_a_state_takes_the_place_of_numbers_that_do_not_exist():
    silent = ArmData(Sums.of(plays=[0] * 200, plays_before=[1, 2] * 100, back=[0] * 200))

    plays, back = analysed(silent, silent).results

    assert (plays.evidence, plays.judgement) == (Undefined.ZERO_VARIANCE, Goal.UNDECIDED)
    assert (back.evidence, back.judgement) == (Undefined.ZERO_VARIANCE, Guardrail.UNDECIDED)
    assert (plays.control, plays.treatment) == (0, 0)


@pytest.mark.parametrize("users", [2, 3, 200])
@pytest.mark.parametrize("procedure", ["always_valid", "fixed_horizon"])
def test_no_number_of_a_result_is_nan(users, procedure):
    known = definitions(procedure=procedure, minimum_units=2)
    for seed in range(5):
        result = analysed(arm(seed, users), arm(seed + 9, users), known=known)
        for r in result.results:
            if isinstance(r.evidence, Evidence):
                numbers = dataclasses.astuple(r.evidence)
                flat = [x for n in numbers for x in (n if isinstance(n, tuple) else (n,))]
                assert all(math.isfinite(x) for x in flat if x is not None)


def test_an_unknown_variant_is_an_error():
    known = definitions()

    with pytest.raises(DefinitionError, match="unknown variant 'mew'; known: new"):
        analyse(known.experiment("rows"), known.metrics, Observed(WEEK_1, {"mew": arm(1)}))


def test_a_quantile_metric_is_compared_by_its_samples():
    tree = changed(
        "metrics.yaml:metrics/long",
        {
            "kind": "quantile",
            "outcome": {"event": "VideoPlaybackCompleted", "field": "watch_s"},
            "level": 0.5,
            "over": "users",
        },
    )
    known = catalogue(changed("rows.yaml:guardrails", [{"metric": "long", "margin": 0.1}], tree))
    samples = [
        sample_quantile(Counter(np.random.default_rng(i).poisson(900, 2000).tolist()), 0.5)
        for i in range(2)
    ]
    control, new = (
        dataclasses.replace(arm(i), quantiles={"long": s}) for i, s in enumerate(samples)
    )

    _, long = analysed(control, new, known=known).results
    _, unsampled = analysed(control, arm(1), known=known).results

    assert (long.control, long.treatment) == tuple(s.value for s in samples)
    assert long.judgement is Guardrail.HOLDS
    assert unsampled.evidence is Undefined.TOO_FEW_UNITS


def test_the_variables_of_a_metric_are_named_after_it():
    assert estimator_of("plays", definitions().metrics["plays"]).variables == (
        "plays",
        "plays_before",
    )
    assert estimator_of("back", definitions().metrics["back"]).variables == ("back",)
