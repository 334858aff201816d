"""Refine says what it refused: a history of old events does not vanish into quarantine unseen."""

from __future__ import annotations

import json
import logging
import re

import pytest

from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.settings import load_settings
from jobs.runtime.streams.query import follow
from tests.support.lakes import MakeLake, deliver
from tests.support.strategies import Delivery, arrived, examples, plays

REFINE = load_settings(environment={}).refine


def test_a_history_that_is_refused_for_its_age_is_told_with_the_remedy(
    lakes: MakeLake, caplog: pytest.LogCaptureFixture
) -> None:
    lake = lakes(Lake)
    event = examples(plays, 1)[0]
    dated = [{**event, "eventId": f"e{day}", "timestamp": f"2016-05-0{day}T00:00:00Z"}
             for day in range(1, 8)]  # fmt: skip
    sent = [Delivery("user-interactions", event["userId"].encode(), json.dumps(one).encode())
            for one in (*dated, {**event, "eventId": "e0"})]  # fmt: skip
    deliver(lake, [arrived(sent, partitions=1)])
    caplog.set_level(logging.INFO)
    with refining(lake, load_judge(REFINE), REFINE, available_now=True) as run:
        follow(run)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("jobs.")]
    batch, total, warning = said[-3:]
    assert re.fullmatch(r"refine: batch 0, 8 rows in .*; 7 refused \(old_time 7\)", batch)
    assert total == (
        "refine: 8 records: 1 to silver (playback 1), 7 refused (old_time 7), 0 duplicates"
    )
    assert warning.startswith("refine: 7 of 8 records were refused")
    assert "raise refine.oldest_event_days, which is 400; python -m jobs.release" in warning
