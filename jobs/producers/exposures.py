"""Experiments over a replayed history: users are assigned as they first press play."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.producers.records import Body
from jobs.producers.viewing import Moment, Viewing
from jobs.runtime.experiments.assignments import EVENT_TYPE, assignment_event
from transforms.experiments.assignment import assign
from transforms.experiments.definitions import Catalogue

LONGEST_HISTORY_D = 220
SAME_FOR_ALL = "same-for-all"


@dataclass(frozen=True, slots=True)
class Exposure:
    """A person's assignment to an experiment.

    Attributes:
        at: time in seconds of the data set.
        viewing: the viewing that begins then.
        experiment: id of the experiment.
        variant: name of the variant.
    """

    at: int
    viewing: Viewing
    experiment: str
    variant: str

    @property
    def event_type(self) -> str:
        """The event type, as of a Moment."""
        return EVENT_TYPE

    def body(self, shift_s: int) -> Body:
        """The event's JSON object, its time moved forward by `shift_s` seconds."""
        at = datetime.fromtimestamp(self.at + shift_s, UTC)
        user = self.viewing.user_id
        return assignment_event(user, self.experiment, self.variant, at, self.viewing.context)


def with_exposures(
    moments: Sequence[Moment], definitions: Catalogue, shift_s: int
) -> list[Moment | Exposure]:
    """A history in which each person is assigned to the experiments at their first play.

    Args:
        moments: the history, in order of time.
        definitions: definitions of the experiments.
        shift_s: seconds that every event time is moved forward.

    Returns:
        The history with the exposures, in order of time.
    """
    return list(_with_exposures(moments, definitions, shift_s))


def _with_exposures(
    moments: Sequence[Moment], definitions: Catalogue, shift_s: int
) -> Iterator[Moment | Exposure]:
    """The history, with each person's exposures before their first play."""
    met: set[int] = set()
    for moment in moments:
        viewing = moment.subject
        if isinstance(viewing, Viewing) and moment.event_type == "VideoPlaybackStarted":
            if viewing.person.user not in met:
                yield from _exposures(moment, viewing, definitions, shift_s)
            met.add(viewing.person.user)
        yield moment


def _exposures(
    moment: Moment, viewing: Viewing, definitions: Catalogue, shift_s: int
) -> Iterator[Exposure]:
    """A person's exposures at their first play, one for each experiment they take part in."""
    at = datetime.fromtimestamp(moment.at + shift_s, UTC)
    for name in definitions.experiments:
        user, context = viewing.user_id, viewing.context
        variant = assign(user, name, definitions, at=at, context=context)
        if variant is not None:
            yield Exposure(moment.at, viewing, name, variant)


def same_for_all(until: datetime) -> dict[str, Any]:
    """Definitions of an A/A test over the MovieLens history that ends at `until`.

    Both variants are shown the same, as the people of the data set were: any difference is chance.

    Args:
        until: end of the history, as an aware datetime.

    Returns:
        Parsed documents of conf/experiments/, by file name.
    """
    started, completed = "VideoPlaybackStarted", "VideoPlaybackCompleted"
    watched = {"event": completed, "field": "watch_s"}
    start = (until - timedelta(days=LONGEST_HISTORY_D)).isoformat()
    experiment = {
        "id": SAME_FOR_ALL,
        "description": "An A/A test: both variants are the same",
        "layer": "home",
        "variants": [{"name": "control", "weight": 0.5}, {"name": "the_same", "weight": 0.5}],
        "traffic": [{"at": start, "share": 1}],
        "start": start,
        "end": (until + timedelta(days=1)).isoformat(),
        "goals": ["watch_time", "completion_rate"],
        "guardrails": [
            {"metric": "long_session", "margin": 0.05},
            {"metric": "back_next_day", "margin": 0.2},
        ],
        "plan": {"tuning_units": 1000, "effect": 0.1},
    }
    metrics = {
        "watch_time": {"kind": "mean", "outcome": watched},
        "completion_rate": {
            "kind": "ratio",
            "outcome": {"event": completed},
            "per": {"event": started},
        },
        "long_session": {"kind": "quantile", "outcome": watched, "level": 0.9, "over": "events"},
        "back_next_day": {"kind": "retention", "outcome": {"event": started}, "day": 1},
    }
    return {
        "metrics.yaml": {"metrics": metrics},
        "layers.yaml": {"layers": {"home": {"salt": "demo"}}},
        f"{SAME_FOR_ALL}.yaml": experiment,
    }
