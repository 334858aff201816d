"""The fuzz of tests/fuzz.py finds what is wrong."""

from __future__ import annotations

from jobs.runtime.tables import QUARANTINE
from tests.fuzz import End, faults


def test_a_record_that_is_lost_doubled_or_misplaced_is_found() -> None:
    one, other = ("t", 0, 1), ("t", 0, 2)
    event, bad = End("e", "silver.ratings"), End("rejected/x", QUARANTINE)
    assert list(faults({one: event, other: bad}, [(one, event), (other, bad)])) == []
    assert list(faults({one: event}, [(one, event), (other, event)])) == []
    assert len(list(faults({one: event, other: event}, [(one, event), (other, event)]))) == 1
    assert len(list(faults({one: event}, [(one, event), (other, bad)]))) == 1
    assert len(list(faults({one: event}, [(one, bad)]))) == 1
