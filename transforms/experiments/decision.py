"""The decision on an experiment from its results: ship, stop, keep running or invalid.

The rule is that of Schultzberg, Ankargren and Frånberg 2024, "Risk-aware product decisions in A/B
tests with multiple metrics", arXiv 2402.11609: ship what is shown to improve at least one goal,
to worsen no goal and to be non-inferior on every guardrail, in an experiment that ran as
designed. Goals share their alpha (see multiplicity); guardrails each keep all of it, for they
must all hold at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from transforms.experiments.effects import Effect
from transforms.experiments.inference import Alternative, Procedure


class Verdict(StrEnum):
    """The recommended action, as the decision of ExperimentResultPublished."""

    SHIP = "ship"
    STOP = "stop"
    KEEP_RUNNING = "keep_running"
    INVALID = "invalid"


class Reason(StrEnum):
    """The reasons of a decision: the closed list, each with the verdict it leads to."""

    # invalid
    SAMPLE_RATIO_MISMATCH = "sample_ratio_mismatch"  # the arms' sizes contradict the weights
    CONTAMINATION = "contamination"  # too many users were exposed to two variants
    TOO_FEW_UNITS = "too_few_units"  # an arm is too small for any statement
    OVERLAPPING_CHANGE = "overlapping_change"  # the catalogue or a model changed while it ran
    # stop
    GUARDRAIL_BROKEN = "guardrail_broken"  # shown to be worse than the margin allows
    GOAL_WORSENED = "goal_worsened"
    NO_GOAL_IMPROVED = "no_goal_improved"  # planned end reached; this does not mean "no effect"
    GUARDRAIL_UNPROVEN = "guardrail_unproven"  # planned end reached, harm not ruled out
    # ship
    GOAL_IMPROVED = "goal_improved"
    # keep running
    GOALS_UNDECIDED = "goals_undecided"
    GUARDRAILS_UNDECIDED = "guardrails_undecided"
    BEFORE_PLANNED_END = "before_planned_end"  # a fixed horizon allows one look, at its end


@dataclass(frozen=True)
class Decision:
    """A verdict and its reasons, the most important first."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


class Better(StrEnum):
    """The direction of a metric that is an improvement."""

    HIGHER = "higher"
    LOWER = "lower"

    @property
    def sign(self) -> int:
        """+1 or -1, such that an effect times this is positive where it is an improvement."""
        return 1 if self is Better.HIGHER else -1


class Goal(StrEnum):
    """State of a goal metric."""

    IMPROVED = "improved"
    WORSENED = "worsened"
    UNDECIDED = "undecided"


class Guardrail(StrEnum):
    """State of a guardrail metric."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNDECIDED = "undecided"


def judge_goal(effect: Effect, adjusted_p: float, alpha: float, better: Better) -> Goal:
    """Test superiority of a goal, two-sided: significant after correction, and in which direction.

    Args:
        effect: effect of the variant on the metric.
        adjusted_p: two-sided p-value of the effect, adjusted over goals and variants.
        alpha: significance level.
        better: direction that is an improvement.

    Returns:
        UNDECIDED if it is not significant, else IMPROVED or WORSENED.
    """
    if adjusted_p > alpha:
        return Goal.UNDECIDED
    return Goal.IMPROVED if effect.estimate * better.sign > 0 else Goal.WORSENED


def judge_guardrail(
    effect: Effect, procedure: Procedure, margin: float, better: Better
) -> Guardrail:
    """Test non-inferiority of a guardrail: whether a loss beyond the margin is ruled out or shown.

    Args:
        effect: effect of the variant on the metric.
        procedure: procedure of both one-sided tests, each at its alpha.
        margin: tolerated loss, in the unit of the effect; positive.
        better: direction that is an improvement.

    Returns:
        HOLDS if it is ruled out, BROKEN if it is shown, else UNDECIDED.
    """
    bound = -margin * better.sign
    good, bad = Alternative.GREATER, Alternative.LESS
    if better is Better.LOWER:
        good, bad = bad, good
    if procedure.p_value(effect, null=bound, alternative=good) <= procedure.alpha:
        return Guardrail.HOLDS
    if procedure.p_value(effect, null=bound, alternative=bad) <= procedure.alpha:
        return Guardrail.BROKEN
    return Guardrail.UNDECIDED


def decide(
    goals: Collection[Goal],
    guardrails: Collection[Guardrail],
    faults: Sequence[Reason] = (),
    *,
    at_planned_end: bool,
    may_stop_early: bool,
) -> Decision:
    """Decide on one variant.

    Args:
        goals: state of each goal metric.
        guardrails: state of each guardrail metric.
        faults: reasons not to trust the experiment; any makes it invalid.
        at_planned_end: whether the planned end has been reached.
        may_stop_early: whether the procedure is valid at any time.
    """
    if faults:
        return Decision(Verdict.INVALID, tuple(faults))
    if not (at_planned_end or may_stop_early):
        return Decision(Verdict.KEEP_RUNNING, (Reason.BEFORE_PLANNED_END,))
    harms = _which(
        (Guardrail.BROKEN in guardrails, Reason.GUARDRAIL_BROKEN),
        (Goal.WORSENED in goals, Reason.GOAL_WORSENED),
    )
    if harms:
        return Decision(Verdict.STOP, harms)
    no_goal, unproven = Goal.IMPROVED not in goals, Guardrail.UNDECIDED in guardrails
    if not (no_goal or unproven):
        return Decision(Verdict.SHIP, (Reason.GOAL_IMPROVED,))
    if at_planned_end:
        lacks = (no_goal, Reason.NO_GOAL_IMPROVED), (unproven, Reason.GUARDRAIL_UNPROVEN)
        return Decision(Verdict.STOP, _which(*lacks))
    waits = (no_goal, Reason.GOALS_UNDECIDED), (unproven, Reason.GUARDRAILS_UNDECIDED)
    return Decision(Verdict.KEEP_RUNNING, _which(*waits))


def decide_overall(decisions: Iterable[Decision]) -> Decision:
    """Decide on an experiment from the decisions on its variants.

    Invalid if any is; else ship if any does; else keep running while any does; else stop.

    Args:
        decisions: decisions on the variants, at least one.

    Returns:
        The verdict, and the reasons of the variants that have it, without duplicates.
    """
    decisions = list(decisions)
    order = (Verdict.INVALID, Verdict.SHIP, Verdict.KEEP_RUNNING, Verdict.STOP)
    verdict = min((decision.verdict for decision in decisions), key=order.index)
    reasons = (r for decision in decisions if decision.verdict is verdict for r in decision.reasons)
    return Decision(verdict, tuple(dict.fromkeys(reasons)))


def _which(*findings: tuple[bool, Reason]) -> tuple[Reason, ...]:
    """The reasons whose condition is true."""
    return tuple(reason for found, reason in findings if found)
