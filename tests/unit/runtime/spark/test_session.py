"""The Spark session: what it is tuned for, and that a submitter is never overridden."""

from __future__ import annotations

import re
import subprocess
from typing import get_args

import pytest

from jobs.runtime.settings import Tuning, load_settings
from jobs.runtime.spark import session
from jobs.runtime.spark.java import java_binary
from jobs.runtime.spark.session import FIRST_COMPILER_ONLY, FOR_LITTLE_DATA, session_config


@pytest.mark.parametrize(
    ("goal", "interprets", "first_compiler_only"),
    [("peak", False, False), ("little_data", True, False), ("start", True, True)],
)
def test_a_goal_decides_what_is_compiled(
    goal: Tuning, interprets: bool, first_compiler_only: bool
) -> None:
    wanted = session_config(load_settings(environment={}).tuned(goal).spark)
    assert (wanted.items() >= FOR_LITTLE_DATA.items()) == interprets
    java_options = wanted["spark.driver.extraJavaOptions"].split()
    given = [option in java_options for option in FIRST_COMPILER_ONLY]
    assert given == 2 * [first_compiler_only]


@pytest.mark.parametrize("goal", get_args(Tuning))
def test_there_is_as_much_room_for_compiled_code_whatever_compiles_it(goal: Tuning) -> None:
    wanted = session_config(load_settings(environment={}).tuned(goal).spark)
    options = wanted["spark.driver.extraJavaOptions"].split()
    shown = subprocess.run(
        [java_binary(), *options, "-XX:+PrintFlagsFinal", "-version"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    [size] = re.findall(r"ReservedCodeCacheSize += (\d+)", shown.stdout)
    assert int(size) >= 240 * 2**20


def test_what_a_submitter_said_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"spark.sql.adaptive.enabled", "spark.sql.shuffle.partitions"}
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    monkeypatch.setattr(session, "_submitted_keys", lambda: said)
    wanted = session_config(load_settings(environment={}).tuned("start").spark)
    assert not wanted.keys() & said
    assert not any("initialPartitionNum" in key for key in wanted), "it would outdo what was said"
    assert wanted["spark.sql.codegen.wholeStage"] == "false"
    assert "spark.driver.extraJavaOptions" not in wanted, "the machine is the submitter's"
