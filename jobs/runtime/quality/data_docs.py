"""Great Expectations: judge measures by the expectations, and write data docs.

Each table is a batch of one row, its measures; so Spark reads a table once however many
expectations it has, and Great Expectations never starts a job.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the library is imported

import great_expectations as gx
import pandas as pd
from great_expectations.expectations.core.expect_column_values_to_be_between import (
    ExpectColumnValuesToBeBetween,
)
from great_expectations.expectations.core.expect_column_values_to_be_in_set import (
    ExpectColumnValuesToBeInSet,
)

from jobs.runtime.lake.tables import TABLES
from jobs.runtime.quality.expectations import Expectation, Measure, Schema, Suite, schema_text
from jobs.runtime.quality.measurement import Finding

NOTHING = "there was nothing to measure"
SITE = "quality"
SEVERITY = {"blocker": "critical", "warning": "warning"}
REMOTE = re.compile(
    rb"<script[^>]*\bsrc=[\"']https?:[^>]*>\s*</script>"
    rb"|<link[^>]*\bhref=[\"']https?:[^>]*>"
    rb"|<img[^>]*\bsrc=[\"']https?:[^>]*>"
)


def judge_measures(
    measures: Mapping[str, Mapping[str, Measure]],
    suites: Mapping[str, Suite],
    versions: Mapping[str, int],
    docs: Path | None = None,
) -> list[Finding]:
    """Judge measures by their expectations.

    Args:
        measures: measured values, by table and name of the expectation.
        suites: expectations, by table.
        versions: measured Delta version, by table.
        docs: folder that data docs are written to; None: they are not written.

    Returns:
        One finding for each expectation of each measured table.
    """
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    if docs is not None:
        context.add_data_docs_site(site_name=SITE, site_config=_site(docs))
    source = context.data_sources.add_pandas("lake")
    findings = []
    for table, found in measures.items():
        asset = source.add_dataframe_asset(table)
        batch = asset.add_batch_definition_whole_dataframe(f"version {versions[table]}")
        expected = [_gx_expectation(table, each, found[each.name]) for each in suites[table]]
        suite = context.suites.add(gx.ExpectationSuite(name=table, expectations=expected))
        definition: Any = gx.ValidationDefinition(name=table, data=batch, suite=suite)
        context.validation_definitions.add(definition)
        frame = pd.DataFrame({name: [value] for name, value in found.items()})
        results = definition.run(batch_parameters={"dataframe": frame}).results
        passed = {each.expectation_config.kwargs["column"]: bool(each.success) for each in results}
        findings += [
            Finding(
                table,
                each,
                _text(found[each.name]),
                expectation_text(table, each),
                passed[each.name],
            )
            for each in suites[table]
        ]
    if docs is not None:
        context.build_data_docs(site_names=[SITE])
        _make_self_contained(docs)
    return findings


def expectation_text(table: str, expectation: Expectation) -> str:
    """The expected value or range as text.

    Returns:
        A text such as `at most 0` or `1 to 5`; of a schema, its names and types.
    """
    if isinstance(expectation, Schema):
        return schema_text(TABLES[table].schema)
    low, high = expectation.bounds
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


def _gx_expectation(table: str, expectation: Expectation, measure: Measure) -> Any:
    """An expectation as one of Great Expectations, over the column of its measure.

    Great Expectations takes a measure without a value for a success: its notes say what it was.
    """
    nothing = f"{NOTHING}: " if measure is None else ""
    shared: dict[str, Any] = {
        "column": expectation.name,
        "severity": SEVERITY[expectation.severity],
        "notes": nothing + expectation.why,
    }
    if isinstance(expectation, Schema):
        return ExpectColumnValuesToBeInSet(
            value_set=[expectation_text(table, expectation)], **shared
        )
    low, high = expectation.bounds
    return ExpectColumnValuesToBeBetween(min_value=low, max_value=high, **shared)


def _text(measure: Measure) -> str | None:
    """A measure as text.

    Returns:
        The text; None without a value.
    """
    return (
        f"{measure:g}" if isinstance(measure, float) else None if measure is None else str(measure)
    )


def _site(folder: Path) -> dict[str, Any]:
    """The configuration of a data docs site in a folder."""
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder.absolute()),
        },
    }


def _make_self_contained(folder: Path) -> None:
    """Remove what the pages would load from other hosts, such as an image that counts visits."""
    for page in folder.rglob("*.html"):
        page.write_bytes(REMOTE.sub(b"", page.read_bytes()))
