"""Definitions of metrics: the events after exposure that count, and their aggregation by arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from transforms.experiments.decision import Better
from transforms.experiments.validation import Definition, unknown

PER, BEFORE = "_per", "_before"
"""What follows a metric's name in that of its denominator's variable, and of its covariate's."""


@dataclass(frozen=True)
class OutcomeEvent:
    """An event that metrics may count or sum, by the columns of its silver table.

    Attributes:
        measures: units of the integer columns that may be summed, by column.
        filters: columns that a metric may be restricted by.
    """

    measures: Mapping[str, str]
    filters: frozenset[str]


_PLAYBACK_FILTERS = frozenset(
    {"content_type", "device_type", "platform", "quality", "region", "source"}
)
OUTCOME_EVENTS: Mapping[str, OutcomeEvent] = {
    "VideoPlaybackStarted": OutcomeEvent({"position_s": "s", "duration_s": "s"}, _PLAYBACK_FILTERS),
    "VideoPlaybackCompleted": OutcomeEvent(
        {"watch_s": "s", "position_s": "s", "duration_s": "s"}, _PLAYBACK_FILTERS
    ),
    "UserEngagement": OutcomeEvent(
        {"value": "1", "rank": "1"}, frozenset({"kind", "region", "source"})
    ),
    "UserRatingSubmitted": OutcomeEvent({"half_stars": "half stars"}, frozenset({"region"})),
}


class Outcome(Definition):
    """Events after exposure, counted, or summed by a column.

    Attributes:
        event: event type, one of OUTCOME_EVENTS.
        field: column to sum, nulls count as 0; None to count the events.
        where: allowed values by column; a null is not among them.
    """

    event: Literal[
        "VideoPlaybackStarted", "VideoPlaybackCompleted", "UserEngagement", "UserRatingSubmitted"
    ]
    field: str | None = None
    where: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _columns_exist(self) -> Outcome:
        """Refuse a field or filter that the event does not have."""
        known = OUTCOME_EVENTS[self.event]
        if self.field is not None and self.field not in known.measures:
            raise ValueError(unknown(f"field of {self.event}", self.field, known.measures))
        for column in self.where:
            if column not in known.filters:
                raise ValueError(unknown(f"column of {self.event}", column, known.filters))
        return self


class _Metric(Definition):
    """The fields that every metric has.

    Attributes:
        outcome: events that are counted or summed for each user.
        better: direction that is an improvement.
        description: text for readers of results.
    """

    outcome: Outcome
    better: Better = Better.HIGHER
    description: str = ""


class _Windowed(_Metric):
    """A metric of a window of time from exposure on.

    Attributes:
        window_h: length of the window, in hours.
        covariate_days: days before exposure over which the same outcome is CUPED's covariate; 0 for
            no adjustment.
    """

    window_h: int = Field(default=168, gt=0)
    covariate_days: int = Field(default=0, ge=0)

    @property
    def hours(self) -> tuple[int, int]:
        """Span in which outcomes count, in hours after exposure: start inclusive, end exclusive."""
        return 0, self.window_h


class MeanMetric(_Windowed):
    """The mean over users of a count or a sum.

    Attributes:
        cap: upper limit that a user's total is cut to (winsorisation), in the outcome's unit; None
            for no limit.
    """

    kind: Literal["mean"]
    cap: int | None = Field(default=None, gt=0)


class ProportionMetric(_Windowed):
    """The share of users with at least one such event."""

    kind: Literal["proportion"]


class RatioMetric(_Windowed):
    """The sum over users of one outcome over that of another, as clicks per impression.

    Attributes:
        per: outcome of the denominator.
    """

    kind: Literal["ratio"]
    per: Outcome


class QuantileMetric(_Windowed):
    """A quantile of a column over events, or of its sums over users, never adjusted by CUPED.

    Attributes:
        level: level of the quantile, in (0, 1).
        over: unit of observation; with "events" the variance is robust to several events of one
            user.
        covariate_days: always 0.
    """

    kind: Literal["quantile"]
    level: float = Field(gt=0, lt=1)
    over: Literal["events", "users"]
    covariate_days: Literal[0] = 0

    @model_validator(mode="after")
    def _has_values(self) -> QuantileMetric:
        """Refuse an outcome without a field, which has no values."""
        if self.outcome.field is None:
            raise ValueError("a quantile needs a field of the outcome to be taken of")
        return self


class RetentionMetric(_Metric):
    """The share of users with such an event on day n: hours 24 n to 24 (n + 1) after exposure.

    Attributes:
        day: n, from 1.
    """

    kind: Literal["retention"]
    day: int = Field(gt=0)

    @property
    def hours(self) -> tuple[int, int]:
        """Span in which outcomes count, in hours after exposure: start inclusive, end exclusive."""
        return 24 * self.day, 24 * (self.day + 1)


Metric = Annotated[
    MeanMetric | ProportionMetric | RatioMetric | QuantileMetric | RetentionMetric,
    Field(discriminator="kind"),
]
