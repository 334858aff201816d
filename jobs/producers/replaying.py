"""Replay real people's history into Kafka: MovieLens 100K as catalogue, playback and rating events.

jobs/producers/viewing.py defines the events of a rating; jobs/producers/faults.py the faults.

With shifted times the whole history is moved so that its last event falls on one instant, the
anchor, and every gap is kept. The anchor is fixed once, before the first event is sent: were it
read again for each event, a slow replay would stretch the history. With unshifted times the events
are of 1997 and 1998, and refine accepts them only with a larger refine.oldest_event_days.

Two replays, whatever their anchors, carry the same eventIds, so within the duplicate horizon the
second one adds nothing but duplicates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from jobs.producers.exposures import Exposure
from jobs.producers.faults import Faults, Truth, deliver
from jobs.producers.records import Record, record_of
from jobs.producers.viewing import Moment

log = logging.getLogger(__name__)


CHUNK = 4096


Happenings = Sequence[Moment | Exposure]


def records(moments: Happenings, plan: Faults, shift_s: int, until: int) -> Iterator[Record]:
    """The records of a history, faults included, in the order in which they are sent.

    Args:
        moments: the events, in order of time.
        plan: the faults.
        shift_s: seconds that every event time is moved forward.
        until: the anchor in microseconds since 1970, which a wrong clock is ahead of.
    """
    for number, part in _chunks(moments):
        lots = plan.draw([moment.event_type for moment in part], number)
        yield from deliver((record_of(moment.body(shift_s)) for moment in part), lots, until)


def truth_of(moments: Happenings, plan: Faults) -> Truth:
    """The ground truth of what `records` sends."""
    told = Truth()
    for number, part in _chunks(moments):
        event_types = [moment.event_type for moment in part]
        told.add(event_types, plan.draw(event_types, number))
    return told


def _chunks(moments: Happenings) -> Iterator[tuple[int, Happenings]]:
    """The history in chunks of CHUNK events, each with its number."""
    for number, start in enumerate(range(0, len(moments), CHUNK)):
        yield number, moments[start : start + CHUNK]
