"""Analysis of one experiment: from its definition and its arms' sums to results and a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from transforms.experiments.bayes import Normal, posterior
from transforms.experiments.decision import (
    Better,
    Decision,
    Goal,
    Guardrail,
    Reason,
    decide,
    decide_overall,
    judge_goal,
    judge_guardrail,
)
from transforms.experiments.definitions import Experiment, Plan
from transforms.experiments.effects import Arm, Effect, Undefined, contrast
from transforms.experiments.estimators import NOBODY, ArmData, arms_of
from transforms.experiments.inference import AlwaysValid, FixedHorizon, Procedure
from transforms.experiments.metrics import Metric
from transforms.experiments.multiplicity import adjust
from transforms.experiments.power import days_to_decision, minimum_detectable_effect
from transforms.experiments.sample_ratio import anytime_p_value, chi_square
from transforms.experiments.validation import require_known


@dataclass(frozen=True)
class Observed:
    """Observations of an experiment up to an instant.

    Attributes:
        at: the instant, an aware datetime.
        arms: data by variant; one in which nobody was exposed yet may be missing.
        contaminated: number of users exposed to two variants; they are in no arm.
        overlapping_changes: changes of the catalogue or a model that touch the experiment.
    """

    at: datetime
    arms: Mapping[str, ArmData]
    contaminated: int = 0
    overlapping_changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """An effect with its interval and p-value, by the plan's procedure.

    Attributes:
        value: estimate of the effect.
        lower: lower end of the interval.
        upper: upper end of the interval.
        p_value: two-sided p-value of the null hypothesis of no effect.
    """

    value: float
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True)
class Evidence:
    """The comparison of an arm with the control on one metric.

    Attributes:
        lift: relative effect, which is judged.
        difference: absolute effect, in the metric's unit.
        adjusted_p_value: p-value of the lift, corrected over goals and variants; a guardrail's is
            not.
        chance_to_win: posterior probability that the lift is an improvement.
        minimum_detectable_lift: smallest lift that the current users detect with the plan's power.
        days_to_decision: days until the plan's smallest lift that matters would be found, if users
            keep coming as they did so far; None if never.
    """

    lift: Estimate
    difference: Estimate
    adjusted_p_value: float
    chance_to_win: float
    minimum_detectable_lift: float
    days_to_decision: int | None


@dataclass(frozen=True)
class MetricResult:
    """One metric in one variant.

    Attributes:
        variant: name of the variant.
        metric: name of the metric.
        control: the control's estimate, unadjusted, in the metric's unit; None if an arm has none.
        treatment: the variant's estimate, likewise.
        evidence: comparison with the control, or why there is none.
        judgement: state of the metric by the plan, as a goal or as a guardrail.
    """

    variant: str
    metric: str
    control: float | None
    treatment: float | None
    evidence: Evidence | Undefined
    judgement: Goal | Guardrail


@dataclass(frozen=True)
class ExperimentResult:
    """The result of an analysis.

    Attributes:
        results: results by variant, goals before guardrails.
        mismatch_p_value: p-value of the sample ratio, by the plan's procedure; None while
            undefined.
        decisions: decisions by variant, the control excepted.
        decision: decision on the experiment.
    """

    results: tuple[MetricResult, ...]
    mismatch_p_value: float | None
    decisions: Mapping[str, Decision]
    decision: Decision


def procedure_of(plan: Plan) -> Procedure:
    """The procedure that a plan names, at its alpha."""
    if plan.procedure == "always_valid":
        return AlwaysValid(plan.alpha, plan.tuning_units)
    return FixedHorizon(plan.alpha)


def analyse(
    experiment: Experiment, metrics: Mapping[str, Metric], observed: Observed
) -> ExperimentResult:
    """Compare every variant with the control on every metric, and decide.

    Args:
        experiment: its definition.
        metrics: definitions of its metrics, by name.
        observed: observations up to an instant.

    Raises:
        DefinitionError: an arm that is no variant of the experiment.
    """
    for variant in observed.arms:
        require_known("variant", variant, experiment.weights, f"experiment {experiment.id}")
    results = _results(experiment, metrics, observed)
    mismatch = _mismatch_p_value(experiment, observed)
    faults = _faults(experiment, observed, mismatch)
    window = timedelta(hours=max(metrics[name].hours[1] for name in experiment.metrics))

    def decision(variant: str) -> Decision:
        """Decide on one variant."""
        judged = [result.judgement for result in results if result.variant == variant]
        return decide(
            [judgement for judgement in judged if isinstance(judgement, Goal)],
            [judgement for judgement in judged if isinstance(judgement, Guardrail)],
            faults,
            at_planned_end=observed.at >= experiment.end + window,
            may_stop_early=experiment.plan.procedure == "always_valid",
        )

    decisions = {variant: decision(variant) for variant in experiment.treatments}
    return ExperimentResult(results, mismatch, decisions, decide_overall(decisions.values()))


@dataclass(frozen=True, eq=False)
class _Question:
    """One metric in one variant, with its lift and difference.

    Attributes:
        variant: name of the variant.
        name: name of the metric.
        better: direction that is an improvement.
        margin: margin of a guardrail; None for a goal.
        arms: control and treatment, or why there is no estimate.
        effects: lift and difference, or why there are none.
    """

    variant: str
    name: str
    better: Better
    margin: float | None
    arms: tuple[Arm, Arm] | Undefined
    effects: tuple[Effect, Effect] | Undefined


def _results(
    experiment: Experiment, metrics: Mapping[str, Metric], observed: Observed
) -> tuple[MetricResult, ...]:
    """The result of each metric in each variant."""
    control = observed.arms.get(experiment.control, NOBODY)
    roles: list[tuple[str, float | None]] = [(goal, None) for goal in experiment.goals]
    roles += [(guard.metric, guard.margin) for guard in experiment.guardrails]
    questions = []
    for variant in experiment.treatments:
        treatment = observed.arms.get(variant, NOBODY)
        for name, margin in roles:
            arms = arms_of(name, metrics[name], control, treatment)
            better = metrics[name].better
            questions.append(_Question(variant, name, better, margin, arms, _effects(arms)))
    p_values = _corrected_p_values(questions, experiment.plan)
    days = (min(observed.at, experiment.end) - experiment.start) / timedelta(days=1)
    strictest = _strictest(questions, experiment.plan)
    return tuple(
        MetricResult(
            question.variant,
            question.name,
            *_values(question.arms),
            _evidence(question, experiment.plan, strictest, p_values, days),
            _judgement(question, experiment.plan, p_values),
        )
        for question in questions
    )


def _effects(arms: tuple[Arm, Arm] | Undefined) -> tuple[Effect, Effect] | Undefined:
    """The relative and the absolute effect between two arms, or why there are none."""
    if isinstance(arms, Undefined):
        return arms
    lift, difference = contrast(*arms, relative=True), contrast(*arms, relative=False)
    if isinstance(lift, Undefined):
        return lift
    return difference if isinstance(difference, Undefined) else (lift, difference)


def _values(arms: tuple[Arm, Arm] | Undefined) -> tuple[float | None, float | None]:
    """The unadjusted estimates of control and treatment.

    Returns:
        Both in the metric's unit; both None if undefined.
    """
    return (None, None) if isinstance(arms, Undefined) else (arms[0].raw, arms[1].raw)


def _corrected_p_values(questions: Sequence[_Question], plan: Plan) -> dict[_Question, float]:
    """P-values of the lifts that are defined, those of goals corrected for multiplicity."""
    procedure = procedure_of(plan)
    p_values = {
        question: procedure.p_value(question.effects[0])
        for question in questions
        if not isinstance(question.effects, Undefined)
    }
    goals = [question for question in p_values if question.margin is None]
    corrected = adjust([p_values[goal] for goal in goals], plan.correction)
    return p_values | dict(zip(goals, corrected, strict=True))


def _strictest(questions: Sequence[_Question], plan: Plan) -> Procedure:
    """The procedure at Bonferroni's share of alpha, the least that any correction leaves a goal."""
    goals = sum(question.margin is None for question in questions)
    return replace(procedure_of(plan), alpha=plan.alpha / goals)


def _evidence(
    question: _Question,
    plan: Plan,
    strictest: Procedure,
    p_values: Mapping[_Question, float],
    days: float,
) -> Evidence | Undefined:
    """The evidence on one question.

    Args:
        question: metric in a variant.
        plan: plan of analysis.
        strictest: procedure of `_strictest`, with which goals are planned.
        p_values: corrected p-values.
        days: days of exposure so far, for the pace of new users.

    Returns:
        The evidence, or why there is none.
    """
    if isinstance(question.effects, Undefined):
        return question.effects
    lift, difference = question.effects
    procedure = procedure_of(plan)
    prior = Normal(plan.prior.mean, plan.prior.sd) if plan.prior else None
    belief = posterior(lift, prior)
    planned = strictest if question.margin is None else procedure
    pace = lift.count / days if days > 0 else 0
    return Evidence(
        _estimate(lift, procedure),
        _estimate(difference, procedure),
        p_values[question],
        Normal(belief.mean * question.better.sign, belief.sd).chance_to_win,
        minimum_detectable_effect(planned, lift, plan.power),
        days_to_decision(planned, lift, plan.effect, pace, plan.power),
    )


def _judgement(
    question: _Question, plan: Plan, p_values: Mapping[_Question, float]
) -> Goal | Guardrail:
    """The state of one metric by the plan.

    Returns:
        The state of a goal or of a guardrail; undecided without evidence.
    """
    if isinstance(question.effects, Undefined):
        return Goal.UNDECIDED if question.margin is None else Guardrail.UNDECIDED
    lift, _ = question.effects
    if question.margin is None:
        return judge_goal(lift, p_values[question], plan.alpha, question.better)
    return judge_guardrail(lift, procedure_of(plan), question.margin, question.better)


def _estimate(effect: Effect, procedure: Procedure) -> Estimate:
    """An effect with its interval and p-value by a procedure."""
    return Estimate(effect.estimate, *procedure.interval(effect), procedure.p_value(effect))


def _mismatch_p_value(experiment: Experiment, observed: Observed) -> float | None:
    """P-value of the sample ratio by the plan's procedure.

    Returns:
        The p-value; None with too few users for a fixed horizon.
    """
    counts = {variant: arm.sums.count for variant, arm in observed.arms.items()}
    if experiment.plan.procedure == "always_valid":
        return anytime_p_value(counts, experiment.weights)
    p_value = chi_square(counts, experiment.weights)
    return None if isinstance(p_value, Undefined) else p_value


def _faults(
    experiment: Experiment, observed: Observed, mismatch: float | None
) -> tuple[Reason, ...]:
    """The reasons not to trust the experiment.

    Returns:
        The reasons in the order of Reason; empty if there are none.
    """
    plan = experiment.plan
    counts = [observed.arms.get(name, NOBODY).sums.count for name in experiment.weights]
    everybody = sum(counts) + observed.contaminated
    findings = {
        Reason.SAMPLE_RATIO_MISMATCH: mismatch is not None and mismatch < plan.mismatch_alpha,
        Reason.CONTAMINATION: observed.contaminated > plan.contamination_limit * everybody,
        Reason.TOO_FEW_UNITS: min(counts) < plan.minimum_units,
        Reason.OVERLAPPING_CHANGE: bool(observed.overlapping_changes),
    }
    return tuple(reason for reason, found in findings.items() if found)
