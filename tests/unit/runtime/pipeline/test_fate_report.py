"""What a job says of refused records: on each batch, at its end, and when they are too many."""

from __future__ import annotations

import logging

import pytest

from jobs.runtime.pipeline.fate_report import FateReport, report_build
from jobs.runtime.pipeline.ledger import Fate
from jobs.runtime.settings import load_settings
from transforms.events.reasons import Reason

SETTINGS = load_settings(environment={}).refine
OLD = [Fate("playback", None, 10), Fate("ratings", None, 6), Fate(None, "old_time", 1984)]
SOUND = [Fate("playback", None, 95), Fate(None, "constraint", 5)]


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_each_batch_says_what_was_refused_and_the_end_the_sum(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    report = FateReport("refine", SETTINGS, available_now=True)
    assert report.add(2000, OLD) == "1,984 refused (old_time 1,984)"
    assert report.add(100, [Fate("playback", None, 90)]) == "none refused"
    assert report.add(5, [Fate(None, "constraint", 2), Fate(None, "old_time", 2)]) == (
        "4 refused (constraint 2, old_time 2)"
    )
    assert not caplog.messages, "the lines of batches are the query's"
    report.end()
    assert caplog.messages == [
        "refine: 2,105 records: 106 to silver (playback 100, ratings 6), 1,988 refused "
        "(old_time 1,986, constraint 2), 11 duplicates",
        "refine: 1,988 of 2,105 records were refused, more than refine.warn_refused_share (0.05); "
        "1,986 of them for old_time -> if events so old are wanted, raise "
        "refine.oldest_event_days, which is 400; python -m jobs.release then judges what was "
        "refused anew",
    ]


def test_a_job_that_reads_nothing_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    FateReport("refine", SETTINGS, available_now=True).end()
    assert caplog.messages == ["refine: 0 records: 0 to silver, 0 refused, 0 duplicates"]


def test_a_share_of_exactly_the_bound_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    report_build("recompute", 100, SOUND, SETTINGS)
    assert not warnings(caplog)
    report_build("recompute", 99, [Fate("playback", None, 94), *SOUND[1:]], SETTINGS)
    assert len(warnings(caplog)) == 1


def test_a_share_of_one_is_never_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    never = SETTINGS.model_copy(update={"warn_refused_share": 1.0})
    report_build("recompute", 2, [Fate(None, "constraint", 2)], never)
    assert not warnings(caplog)


def test_a_stream_warns_of_each_minute_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    report = FateReport("refine", SETTINGS, available_now=False, clock=clock)
    report.add(10**6, [Fate("playback", None, 10**6)])
    clock.now = 60
    report.add(100, SOUND)
    assert not warnings(caplog)
    clock.now = 90
    report.add(2000, OLD)
    clock.now = 119
    report.add(2000, OLD)
    assert not warnings(caplog), "one warning a minute, not one a batch"
    clock.now = 120
    report.add(0, [])
    assert [text.split(",")[0] for text in warnings(caplog)] == ["refine: 3"]
    clock.now = 130
    report.add(2000, OLD)
    report.end()
    assert len(warnings(caplog)) == 2


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_remedy(reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    report_build("refine", 1, [Fate(None, str(reason), 1)], SETTINGS)
    [warning] = warnings(caplog)
    assert f"for {reason} -> " in warning
