"""The fuzz of tests/e2e/fuzz.py in short, and that it finds what is wrong."""

from __future__ import annotations

import pytest

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import QUARANTINE
from jobs.runtime.settings import load_settings
from tests.e2e.fuzz import End, faults, fuzz
from tests.support.lakes import MakeLake

REFINE = load_settings(environment={}).refine


@pytest.mark.slow
def test_refine_agrees_with_the_second_judge_on_any_record(lakes: MakeLake) -> None:
    kept = fuzz(lakes(Lake), REFINE, seed=1, count=4000)
    assert kept.bronze == 4000
    assert len(kept.quarantined) > 8, "the records are broken in too few ways"
    assert all(kept.silver.values()), "a family got no event"


def test_a_record_that_is_lost_doubled_or_misplaced_is_found() -> None:
    one, other = ("t", 0, 1), ("t", 0, 2)
    event, bad = End("e", "silver.ratings"), End("rejected/x", QUARANTINE)
    assert list(faults({one: event, other: bad}, [(one, event), (other, bad)])) == []
    assert list(faults({one: event}, [(one, event), (other, event)])) == []
    assert len(list(faults({one: event, other: event}, [(one, event), (other, event)]))) == 1
    assert len(list(faults({one: event}, [(one, event), (other, bad)]))) == 1
    assert len(list(faults({one: event}, [(one, bad)]))) == 1
