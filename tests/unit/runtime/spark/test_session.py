"""The Spark session: what it is tuned for, and that a submitter is never overridden."""

from __future__ import annotations

import pytest

from jobs.runtime.settings import Tuning, load_settings
from jobs.runtime.spark import session
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
    assert (FIRST_COMPILER_ONLY in java_options) == first_compiler_only


def test_what_a_submitter_said_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"spark.sql.adaptive.enabled", "spark.sql.shuffle.partitions"}
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    monkeypatch.setattr(session, "_submitted_keys", lambda: said)
    wanted = session_config(load_settings(environment={}).tuned("start").spark)
    assert not wanted.keys() & said
    assert not any("initialPartitionNum" in key for key in wanted), "it would outdo what was said"
    assert wanted["spark.sql.codegen.wholeStage"] == "false"
    assert "spark.driver.extraJavaOptions" not in wanted, "the machine is the submitter's"
