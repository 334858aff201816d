"""The declared topics keep what the contracts say of topics and keys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jobs.contracts import main as contracts
from jobs.runtime.conf_files import CONF_DIR
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import SettingsError
from jobs.runtime.kafka.contract_topics import mismatches, refuse_mismatches
from jobs.runtime.kafka.topics import load_topics

EXCEPTION = "ExperimentResultPublished: experimentId"
Edit = Callable[[str], str]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of conf/ to be edited."""
    return Path(shutil.copytree(CONF_DIR, tmp_path / "conf"))


def declare(conf: Path, edit: Edit) -> Path:
    file = conf / "topics.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(edit(before), encoding="utf-8")
    assert file.read_text(encoding="utf-8") != before
    return file


def check(conf: Path, *options: str) -> Result:
    return CliRunner().invoke(contracts, ["check", "--folder", str(conf / "schemas"), *options])


@pytest.mark.parametrize("profile", ["local", "cluster"])
def test_the_topics_of_the_house_are_those_of_its_contracts(profile: str) -> None:
    declared = load_topics(profile)
    assert list(mismatches(load_registry(), declared, CONF_DIR / "topics.yaml")) == []
    for contract in load_registry():
        for name in contract.topics:
            assert declared[name].key_of(contract.event_type) == contract.key


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            lambda text: text.replace(f"        {EXCEPTION}\n", "").replace("      keys:\n", ""),
            "experiment-events is keyed by userId, ExperimentResultPublished 1.0 by experimentId "
            f"-> declare under its keys: {EXCEPTION}",
        ),
        (
            lambda text: text.replace(EXCEPTION, "ExperimentResultPublished: decision"),
            "experiment-events is keyed by decision for ExperimentResultPublished, "
            "ExperimentResultPublished 1.0 by experimentId "
            f"-> declare under its keys: {EXCEPTION}",
        ),
        (
            lambda text: text.replace("  system-health:", "  system-wealth:"),
            "system-health of ServiceHealthReported 1.0 is not declared "
            "-> declare it under topics:, with key: service",
        ),
        (
            lambda text: text.replace(EXCEPTION, f"{EXCEPTION}\n        UserErased: commandId"),
            "experiment-events declares a key for UserErased, and no contract there needs one "
            "-> take UserErased out of its keys:",
        ),
        (
            lambda text: text.replace(EXCEPTION, f"{EXCEPTION}\n        ExperimentAssignment: key"),
            "experiment-events declares a key for ExperimentAssignment, and no contract there "
            "needs one -> take ExperimentAssignment out of its keys:",
        ),
    ],
)
def test_a_topic_that_is_not_as_the_contracts_say_is_refused_in_one_line(
    conf: Path, edit: Edit, said: str
) -> None:
    file = declare(conf, edit)
    result = check(conf)
    assert result.exit_code == 1
    assert f"{file}: {said}" in result.output.splitlines()
    [*_, found] = json.loads(check(conf, "--json").stdout)
    assert f"{found['file']}: {found['reason']} -> {found['remedy']}" == f"{file}: {said}"
    with pytest.raises(SettingsError) as refused:
        refuse_mismatches(load_registry(conf / "schemas"), load_topics("local", file=file), file)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{file}: ")


def test_a_contract_of_an_undeclared_topic_is_not_published(conf: Path) -> None:
    declare(conf, lambda text: text.replace("  system-health:", "  system-wealth:"))
    before = (conf / "schemas" / "lock.json").read_bytes()
    result = CliRunner().invoke(contracts, ["lock", "--folder", str(conf / "schemas")])
    assert result.exit_code == 2
    assert (conf / "schemas" / "lock.json").read_bytes() == before


def test_a_profile_too_is_held_to_the_contracts(conf: Path) -> None:
    cluster = "      user-profile-events:\n        partitions: 24"
    declare(conf, lambda text: text.replace(cluster, f"{cluster}\n        key: titleId"))
    assert (
        "user-profile-events is keyed by titleId, ContentRated 1.0 by userId" in check(conf).output
    )


def test_contracts_without_topics_beside_them_are_checked_alone(conf: Path) -> None:
    (conf / "topics.yaml").unlink()
    assert check(conf).exit_code == 0


def test_topics_are_refused_before_kafka_is_asked(conf: Path) -> None:
    file = declare(conf, lambda text: text.replace(EXCEPTION, "UserErased: commandId"))
    nowhere = ["--set", "kafka.bootstrap_servers=127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-m", "jobs.topics", *nowhere],
        cwd=CONF_DIR.parent,
        env={**os.environ, "PLAYHEAD_CONF": str(conf)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {file}: experiment-events is keyed by userId")
