"""The ledger's arithmetic: every record ends once, also after a release and an erasure."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from jobs.runtime.errors import DataError
from jobs.runtime.pipeline.ledger import Conservation, Entry, Fate, balance, refuse_unbalanced
from jobs.runtime.streams.checkpoints import BATCH_BITS

LAST = 2 << BATCH_BITS  # the first batch of the newest checkpoint
FIRST = 1 << BATCH_BITS
REFINED = [
    Entry(LAST, "arrived", None, 10),
    Entry(LAST, "duplicate", None, 2),
    Entry(LAST, "silver", "playback", 5),
    Entry(LAST, "quarantine", "old_time", 3),
]
SILVER, QUARANTINE = {"playback": 5, "ratings": 0}, {"old_time": 3}
RELEASED = [  # two of those of old time: one is an event, the other a copy of one
    Entry(LAST, "released", "old_time", 2),
    Entry(LAST, "silver", "playback", 1),
    Entry(LAST, "duplicate", None, 1),
]
ERASED = [  # by the end that a record had
    Entry(LAST, "erased", "silver/playback", 2),
    Entry(LAST, "erased", "quarantine/old_time", 1),
    Entry(LAST, "erased", "duplicate", 1),
]


def balanced(
    entries: list[Entry],
    bronze: int = 10,
    silver: Mapping[str, int] = SILVER,
    quarantined: Mapping[str, int] = QUARANTINE,
) -> Conservation:
    return balance(entries, bronze, silver, quarantined)


def test_what_refine_read_is_conserved() -> None:
    found = balanced(REFINED)
    assert found.conserved
    assert (found.arrived, found.duplicates, found.missing, found.unread) == (10, 2, 0, 0)


def test_what_was_released_left_quarantine_for_silver_or_the_duplicates() -> None:
    found = balanced([*REFINED, *RELEASED], 10, {"playback": 6}, {"old_time": 1})
    assert found.conserved
    assert (found.released, found.erased, found.duplicates, found.missing) == (2, 0, 3, 0)


def test_nothing_is_missing_after_an_erasure() -> None:
    found = balanced([*REFINED, *ERASED], 6, {"playback": 3}, {"old_time": 2})
    assert found.conserved
    assert (found.arrived, found.erased, found.duplicates, found.missing) == (6, 4, 1, 0)


def test_nothing_is_missing_after_a_release_and_the_erasure_of_what_was_released() -> None:
    found = balanced([*REFINED, *RELEASED, *ERASED], 6, {"playback": 4}, {})
    assert found.conserved
    assert (found.released, found.erased, found.duplicates, found.missing) == (2, 4, 2, 0)


def test_what_refine_has_not_read_is_missing_for_now() -> None:
    found = balanced(REFINED, bronze=17)
    assert not found.conserved
    assert (found.missing, found.unread) == (7, 7)


def test_what_a_table_lost_is_missing_though_it_was_read() -> None:
    found = balanced(REFINED, silver={"playback": 4})
    assert not found.agreed
    assert (found.missing, found.unread) == (1, 0)


def test_only_the_newest_checkpoint_and_the_batch_build_count() -> None:
    earlier = [entry._replace(sequence=FIRST) for entry in REFINED]
    built = [Entry(0, "arrived", None, 4), Entry(0, "silver", "playback", 4)]
    assert balanced([*earlier, *REFINED]) == balanced(REFINED)
    assert balanced([*built, *earlier, *REFINED], 14, {"playback": 9}).conserved
    assert balanced([*earlier, *built], 14, {"playback": 9}).conserved


@pytest.mark.parametrize("entries", [[], [Entry(0, "arrived", None, 0)]])
def test_an_empty_lake_lacks_nothing(entries: list[Entry]) -> None:
    found = balanced(entries, 0, {"playback": 0}, {})
    assert found.conserved
    assert found.missing == 0


FATES = [Fate("playback", None, 5), Fate(None, "old_time", 1)]


@pytest.mark.parametrize("dropped", [2, None])
def test_a_batch_whose_records_all_have_an_end_is_balanced(dropped: int | None) -> None:
    refuse_unbalanced(8, FATES, dropped, 7)


@pytest.mark.parametrize(
    ("events", "dropped", "said"),
    [
        (9, 2, "batch 7 read 9 records, of which 6 have an end and 2 are duplicates: 1 are lost"),
        (7, 2, "of which 6 have an end and 2 are duplicates: 1 are counted twice"),
        (5, None, "batch 7 read 5 records, of which 6 have an end .* 1 are counted twice"),
    ],
)
def test_a_batch_that_lost_a_record_or_counted_one_twice_is_refused(
    events: int, dropped: int | None, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        refuse_unbalanced(events, FATES, dropped, 7)
