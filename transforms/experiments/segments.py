"""Segments: an experiment's goals in parts of its users, to locate an effect if there is one.

Whoever looks at ten segments finds one that stands out. The p-values of all segments, goals and
variants are therefore corrected together, by the plan's correction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transforms.experiments.analysis import Estimate, procedure_of
from transforms.experiments.definitions import Experiment
from transforms.experiments.effects import Effect, Undefined, contrast
from transforms.experiments.estimators import NOBODY, ArmData, arms_of
from transforms.experiments.metrics import Metric
from transforms.experiments.multiplicity import adjust


@dataclass(frozen=True)
class SegmentEffect:
    """A goal in one variant, among the users of one segment.

    Attributes:
        segment: name of the segment.
        variant: name of the variant.
        metric: name of the goal.
        users: number of users in the control and in the variant.
        lift: relative effect by the plan's procedure, or why there is none.
        adjusted_p_value: p-value corrected over all segments, goals and variants; None without a
            lift.
    """

    segment: str
    variant: str
    metric: str
    users: tuple[int, int]
    lift: Estimate | Undefined
    adjusted_p_value: float | None


def segment_effects(
    experiment: Experiment,
    metrics: Mapping[str, Metric],
    segments: Mapping[str, Mapping[str, ArmData]],
) -> list[SegmentEffect]:
    """Compare every variant with the control on every goal, in each segment.

    Args:
        experiment: its definition.
        metrics: definitions of its metrics, by name.
        segments: arms by variant, by segment.

    Returns:
        One effect for each goal, variant and segment, in this order.
    """
    procedure = procedure_of(experiment.plan)
    asked = [
        (segment, variant, goal)
        for goal in experiment.goals
        for variant in experiment.treatments
        for segment in sorted(segments)
    ]
    lifts = [_lift(segments[segment], experiment, variant, goal, metrics[goal])
             for segment, variant, goal in asked]  # fmt: skip
    defined = [lift for lift in lifts if isinstance(lift, Effect)]
    corrected = iter(
        adjust([procedure.p_value(lift) for lift in defined], experiment.plan.correction)
    )
    found = []
    for (segment, variant, goal), lift in zip(asked, lifts, strict=True):
        arms = segments[segment]
        users = tuple(arms.get(name, NOBODY).sums.count for name in (experiment.control, variant))
        told: Estimate | Undefined = (
            lift
            if isinstance(lift, Undefined)
            else Estimate(lift.estimate, *procedure.interval(lift), procedure.p_value(lift))
        )
        p_value = None if isinstance(lift, Undefined) else next(corrected)
        found.append(SegmentEffect(segment, variant, goal, (users[0], users[1]), told, p_value))
    return found


def _lift(
    arms: Mapping[str, ArmData], experiment: Experiment, variant: str, goal: str, metric: Metric
) -> Effect | Undefined:
    """Relative effect of a variant on a goal within a segment, or why there is none."""
    control, treatment = (arms.get(name, NOBODY) for name in (experiment.control, variant))
    pair = arms_of(goal, metric, control, treatment)
    return pair if isinstance(pair, Undefined) else contrast(*pair, relative=True)
