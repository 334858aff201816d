"""Waiting for a process of a test has an end, and says what the process said."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import cast

import pytest
from pyspark.sql import SparkSession

from tests.e2e.chaos import Chaos
from tests.support.processes import Process

NO_SPARK = cast(SparkSession, None)
SAYS = "print('error: no table', flush=True)"
SLEEPS = "import time; time.sleep(60)"


def process(program: str) -> Process:
    return Process([sys.executable, "-c", program], re.compile("error|batch"))


def test_a_line_that_does_not_come_is_waited_for_no_longer_than_said() -> None:
    silent = process(f"{SAYS}; {SLEEPS}")
    silent.await_line(0)
    with pytest.raises(AssertionError, match=r"no line like .* in 0.1 s:\nerror: no table"):
        silent.await_line(1, within_s=0.1)
    silent.kill()


def test_a_process_that_does_not_end_is_waited_for_no_longer_than_said() -> None:
    silent = process(f"{SAYS}; {SLEEPS}")
    silent.await_line(0)
    with pytest.raises(AssertionError, match=r"still runs after 0.1 s:\nerror: no table"):
        silent.exit_code(within_s=0.1)
    silent.kill()


def test_a_job_of_the_chaos_that_ends_by_itself_is_a_failure_with_its_last_lines() -> None:
    chaos = Chaos(NO_SPARK, Path("lake"), seed=0, events=1, kills=1, broker_every=1, apart=0)
    chaos._running["stream"] = process(SAYS)
    chaos._running["stream"].exit_code()
    with pytest.raises(AssertionError, match=r"jobs\.stream ended by itself:\nerror: no table"):
        chaos._refuse_end("stream")
    chaos._excused.add("stream")
    chaos._refuse_end("stream")
