"""What docs/cluster.md and conf/ say of clusters, held against what can be had without one."""

from __future__ import annotations

import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import yaml

from jobs.package import LINES
from jobs.runtime.conf_files import CONF_DIR, HOME
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.settings import load_settings
from jobs.runtime.spark.packaging import main_file

SCHEMA = json.loads((HOME / "tests" / "support" / "spark_application.schema.json").read_text())
DOCS = (HOME / "docs" / "cluster.md").read_text()
MANIFESTS = sorted((CONF_DIR / "kubernetes").glob("*.yaml"))


def in_package(text: str) -> list[Path]:
    """The files of the package that a text names by their place in the image."""
    return [HOME / name for name in re.findall(r"local:///opt/playhead/(jobs/\S+\.py)", text)]


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_a_manifest_is_valid_by_the_operators_published_schema(file: Path) -> None:
    manifest = yaml.safe_load(file.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(manifest)
    assert all(named.exists() for named in in_package(file.read_text()))
    arguments = manifest["spec"]["arguments"]
    overrides = [told for flag, told in pairwise(arguments) if flag == "--set"]
    load_settings("cluster", overrides, environment={})


def test_the_schema_refuses_what_the_operator_would_not_know() -> None:
    manifest = yaml.safe_load(MANIFESTS[0].read_text())
    manifest["spec"]["driver"]["memroy"] = "4g"
    with pytest.raises(jsonschema.ValidationError, match="memroy"):
        jsonschema.Draft202012Validator(SCHEMA).validate(manifest)


def test_every_line_of_the_package_is_of_a_job_there_is() -> None:
    named = [main_file(line.split()[0]) for lines in LINES.values() for line in lines]
    assert [file for file in named if not (HOME / file).exists()] == []


def test_every_override_in_the_docs_is_a_setting() -> None:
    overrides = re.findall(r"--set ([\w.]+=[^\s`\\]+)", DOCS)
    assert overrides
    load_settings("cluster", overrides, environment={})


def test_no_file_of_jobs_takes_the_place_of_a_module_of_python() -> None:
    """spark-submit puts jobs/ on Python's path, before the standard library."""
    taken = {file.stem for file in (HOME / "jobs").glob("*.py")} & sys.stdlib_module_names
    assert taken == set()


def test_the_cluster_profile_is_replicated_and_secured() -> None:
    kafka = load_settings("cluster", environment={}).kafka
    assert (kafka.security_protocol, kafka.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    topics = load_topics("cluster").values()
    assert {(topic.replication, topic.min_insync_replicas) for topic in topics} == {(3, 2)}
