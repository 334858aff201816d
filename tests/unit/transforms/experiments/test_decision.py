from __future__ import annotations

import math

import pytest

from transforms.experiments.decision import (
    Better,
    Decision,
    Goal,
    Guardrail,
    Reason,
    Verdict,
    decide,
    decide_overall,
    judge_goal,
    judge_guardrail,
)
from transforms.experiments.effects import Effect
from transforms.experiments.inference import FixedHorizon

IMPROVED, WORSENED, GOAL_UNDECIDED = Goal
HOLDS, BROKEN, GUARD_UNDECIDED = Guardrail


def effect(estimate: float) -> Effect:
    return Effect(estimate, std_error=0.01, df=math.inf, count=1000)


@pytest.mark.parametrize(
    ("estimate", "p_value", "better", "expected"),
    [
        (0.03, 0.01, Better.HIGHER, Goal.IMPROVED),
        (0.03, 0.01, Better.LOWER, Goal.WORSENED),
        (-0.03, 0.05, Better.LOWER, Goal.IMPROVED),
        (0.03, 0.051, Better.HIGHER, Goal.UNDECIDED),
    ],
)
def test_a_goal_is_judged_by_its_adjusted_p_value_and_direction(
    estimate, p_value, better, expected
):
    assert judge_goal(effect(estimate), p_value, 0.05, better) is expected


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (-0.01, Guardrail.HOLDS),  # a gain
        (0.0, Guardrail.HOLDS),  # 2 standard errors inside the margin: p 0.023
        (0.0035, Guardrail.HOLDS),  # 1.65: p 0.0495
        (0.0036, Guardrail.UNDECIDED),  # 1.64: p 0.0505
        (0.02, Guardrail.UNDECIDED),  # on the margin
        (0.0364, Guardrail.UNDECIDED),
        (0.0365, Guardrail.BROKEN),
    ],
)
@pytest.mark.parametrize("better", Better)
def test_a_guardrail_holds_when_a_loss_beyond_its_margin_is_ruled_out(loss, expected, better):
    judged = judge_guardrail(effect(-loss * better.sign), FixedHorizon(0.05), 0.02, better)

    assert judged is expected


@pytest.mark.parametrize(
    ("goals", "guardrails", "at_end", "verdict", "reasons"),
    [
        ([IMPROVED], [], False, "ship", ["goal_improved"]),
        ([IMPROVED, GOAL_UNDECIDED], [HOLDS], False, "ship", ["goal_improved"]),
        ([IMPROVED], [HOLDS, GUARD_UNDECIDED], False, "keep_running", ["guardrails_undecided"]),
        ([IMPROVED], [GUARD_UNDECIDED], True, "stop", ["guardrail_unproven"]),
        ([GOAL_UNDECIDED], [HOLDS], False, "keep_running", ["goals_undecided"]),
        ([GOAL_UNDECIDED], [HOLDS], True, "stop", ["no_goal_improved"]),
        ([IMPROVED, WORSENED], [HOLDS], False, "stop", ["goal_worsened"]),
        ([IMPROVED], [BROKEN], False, "stop", ["guardrail_broken"]),
        ([WORSENED], [BROKEN], True, "stop", ["guardrail_broken", "goal_worsened"]),
        (
            [GOAL_UNDECIDED],
            [GUARD_UNDECIDED],
            True,
            "stop",
            ["no_goal_improved", "guardrail_unproven"],
        ),
    ],
)
def test_the_decision_rule(goals, guardrails, at_end, verdict, reasons):
    decision = decide(goals, guardrails, at_planned_end=at_end, may_stop_early=True)

    assert decision == Decision(Verdict(verdict), tuple(map(Reason, reasons)))


def test_an_experiment_with_a_fault_is_invalid_whatever_it_shows():
    faults = [Reason.SAMPLE_RATIO_MISMATCH, Reason.TOO_FEW_UNITS]

    decision = decide([IMPROVED], [HOLDS], faults, at_planned_end=True, may_stop_early=True)

    assert decision == Decision(Verdict.INVALID, tuple(faults))


@pytest.mark.parametrize("goal", Goal)
def test_a_fixed_horizon_decides_nothing_before_its_end(goal):
    decision = decide([goal], [BROKEN], at_planned_end=False, may_stop_early=False)

    assert decision == Decision(Verdict.KEEP_RUNNING, (Reason.BEFORE_PLANNED_END,))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["stop", "ship", "invalid"], "invalid"),
        (["stop", "ship", "keep_running"], "ship"),
        (["stop", "keep_running"], "keep_running"),
        (["stop", "stop"], "stop"),
    ],
)
def test_the_experiment_ships_if_a_variant_does_and_stops_if_all_do(verdicts, expected):
    overall = decide_overall(Decision(Verdict(verdict), ()) for verdict in verdicts)

    assert overall.verdict == expected


def test_the_experiment_s_reasons_are_those_of_the_variants_it_follows():
    ship = Decision(Verdict.SHIP, (Reason.GOAL_IMPROVED,))
    stop = Decision(Verdict.STOP, (Reason.GUARDRAIL_BROKEN,))

    assert decide_overall([stop, ship, ship]) == ship
