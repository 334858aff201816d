"""Experiments: check definitions, assign and audit users, compute and reproduce results."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pyspark.sql import DataFrame

from jobs.runtime.cli import AwareInstant, job, name_and_value
from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.experiments.assignments import open_assigner
from jobs.runtime.experiments.attribution import all_experiment_users
from jobs.runtime.experiments.audit import audit_assignments
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.experiments.readout import write_readout
from jobs.runtime.experiments.results import reproduce_results, stored_results
from jobs.runtime.experiments.results_refresh import refresh_results
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.lake.lake import Lake, open_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.lake.tables import EXPERIMENT_RESULTS, EXPERIMENT_USER
from jobs.runtime.quality.gate import refuse_failing
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import RESULTS
from transforms.experiments.changes import refuse_moves
from transforms.experiments.definitions import Catalogue
from transforms.experiments.validation import DefinitionError
from transforms.gold.experiment_user import ASSIGNMENTS, SOURCES, differing_users
from transforms.instants import rfc3339

log = logging.getLogger(__name__)


EXAMPLES = 5


definitions_option = click.option(
    "--definitions",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the definitions. Default: conf/experiments.",
)


@click.group()
def main() -> None:
    """Experiments, from conf/experiments to decisions (docs/experiments.md).

    python -m jobs.attribute keeps gold.experiment_user, from which results are computed.
    """


@job
@definitions_option
@click.option(
    "--against",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Refuse what would move a user of an experiment that runs by the definitions there.",
)
def check(settings: Settings, folder: Path | None, against: Path | None) -> None:
    """Check the definitions; one line names the first fault."""
    definitions = _definitions(folder)
    if against is not None:
        try:
            refuse_moves(_definitions(against), definitions, datetime.now(UTC))
        except DefinitionError as error:
            raise SettingsError(str(error), "end it first, or make another experiment") from None
    log.info("%d experiments and %d metrics are sound", *_sizes(definitions))


@job
@click.argument("user")
@click.argument("experiment")
@click.option(
    "--context",
    multiple=True,
    metavar="NAME=VALUE",
    help="What is known of the user, such as device_type=smart_tv. Repeatable.",
)
@definitions_option
def assign(
    settings: Settings, user: str, experiment: str, context: tuple[str, ...], folder: Path | None
) -> None:
    """Print the variant that USER gets in EXPERIMENT, and publish it as ExperimentAssignment.

    A repeat publishes the same event id, which is counted once. Nothing is published for a user
    who does not take part.
    """
    definitions = _definitions(folder)
    known = dict(name_and_value("--context", one) for one in context)
    with kafka_of(settings) as kafka, open_assigner(kafka, definitions) as assigner:
        try:
            variant = assigner.assign(user, experiment, known)
        except DefinitionError as error:
            raise SettingsError(str(error), "see conf/experiments") from None
    click.echo(variant or f"{user} does not take part in {experiment}")


@job
@definitions_option
def audit(settings: Settings, folder: Path | None) -> None:
    """Compare every recorded assignment of a defined experiment with the hash.

    Reads silver.experiments. Exits non-zero if a user was recorded in a variant that the hash does
    not give them.
    """
    lake = _lake(settings, "audit", ASSIGNMENTS)
    recorded, wrong = audit_assignments(lake, _definitions(folder))
    log.info("%s assignments are recorded, %s differ", f"{recorded:,}", f"{wrong.count():,}")
    if _log_examples(wrong, "%s: user %s has %s, the hash says %s"):
        raise DataError(
            "assignments contradict the hash", "see who published them, and by which definition"
        )


@job
@definitions_option
def verify(settings: Settings, folder: Path | None) -> None:
    """Prove that the streamed gold.experiment_user equals its batch recompute from silver.

    Exits non-zero if a row differs. Events that came since the last micro-batch differ too: run
    python -m jobs.attribute --available-now first.
    """
    lake = _lake(settings, "verify", EXPERIMENT_USER)
    rows = lake.read(EXPERIMENT_USER)
    wrong = differing_users(rows, all_experiment_users(lake, _definitions(folder))).persist()
    log.info("%s rows compared, %s differ", f"{rows.count():,}", f"{wrong.count():,}")
    if _log_examples(wrong, "%s: user %s differs"):
        raise DataError(
            f"{EXPERIMENT_USER} is not what silver comes to",
            "run python -m jobs.attribute --available-now, then verify again",
        )


@job
@click.argument("experiments", nargs=-1, metavar="[EXPERIMENT]...")
@definitions_option
@click.option(
    "--at",
    type=AwareInstant(),
    default=lambda: datetime.now(UTC).isoformat(),
    metavar="INSTANT",
    help="The instant that the results are of. Default: now.",
)
@click.option("--once", is_flag=True, help="Leave results of that instant that are there already.")
@click.option("--publish/--no-publish", default=True, help="Publish each decision to Kafka.")
def results(
    settings: Settings,
    experiments: tuple[str, ...],
    folder: Path | None,
    at: datetime,
    once: bool,
    publish: bool,
) -> None:
    """Compute the results of the EXPERIMENTs, by default of all that have started.

    Reads gold.experiment_user; writes gold.experiment_results, in which every row names the
    versions it was computed from, and publishes each decision as ExperimentResultPublished.
    Refused, before anything is computed, if a blocker of quality failed on the tables behind them.
    """
    definitions = _definitions(folder)
    lake = _lake(settings, "results", EXPERIMENT_USER)
    if publish:
        computed_from = (EXPERIMENT_USER, *SOURCES)
        refuse_failing(lake, computed_from, settings.quality, "the publishing of results")
    with ExitStack() as stack:
        stack.enter_context(run_alone(lake.shared_checkpoint(RESULTS), RESULTS))
        kafka = stack.enter_context(kafka_of(settings)) if publish else None
        rows = refresh_results(lake, definitions, at, experiments, kafka, once=once)
    for line in dict.fromkeys(_line(row) for row in rows):
        click.echo(line)


@job
@click.argument("experiment")
@click.argument("computed_at", type=AwareInstant())
def reproduce(settings: Settings, experiment: str, computed_at: datetime) -> None:
    """Recompute the results of EXPERIMENT at COMPUTED_AT from the versions that they name.

    Exits non-zero if a single digit differs.
    """
    lake = _lake(settings, "reproduce", EXPERIMENT_RESULTS)
    before = stored_results(lake, experiment, computed_at)
    if not before:
        raise SettingsError(
            f"{EXPERIMENT_RESULTS} has no results of {experiment} at {rfc3339(computed_at)}",
            "python -m jobs.experiments results computes new ones",
        )
    again = reproduce_results(lake, before)
    differing = [row["metric"] for row, same in zip(before, again, strict=True) if row != same]
    if differing:
        raise DataError(
            f"the results of {experiment} differ in {', '.join(differing)}",
            "this is a defect, or files of the pinned versions are gone",
        )
    log.info("%d results of %s, the same to the last digit", len(before), experiment)


@job
@click.argument("experiment")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def readout(settings: Settings, experiment: str, file: Path) -> None:
    """Write the newest results of EXPERIMENT to FILE, a self-contained page."""
    lake = _lake(settings, "readout", EXPERIMENT_RESULTS)
    write_readout(lake, experiment, file)
    click.echo(f"The readout: {file}")


for command in (check, assign, audit, verify, results, reproduce, readout):
    main.add_command(command)


def _definitions(folder: Path | None) -> Catalogue:
    """The validated definitions of a folder.

    Args:
        folder: folder of the definitions; None: conf/experiments.
    """
    return load_definitions() if folder is None else load_definitions(folder)


def _log_examples(wrong: DataFrame, line: str) -> int:
    """Log the first rows that are wrong.

    Args:
        wrong: rows that should not be.
        line: text with a place for each column.

    Returns:
        How many were logged.
    """
    examples = wrong.limit(EXAMPLES).collect()
    for row in examples:
        log.error(line, *row)
    return len(examples)


def _sizes(definitions: Catalogue) -> tuple[int, int]:
    """The number of experiments and of metrics."""
    return len(definitions.experiments), len(definitions.metrics)


def _lake(settings: Settings, app: str, table: str) -> Lake:
    """Open the lake at its live or pinned generation.

    Raises:
        DataError: the table that the command reads does not exist.
    """
    lake = open_lake(app, settings)
    lake.require(table)
    return lake


def _line(row: Mapping[str, Any]) -> str:
    """An experiment's verdict and reasons as one line."""
    decision = row["decision"]
    return f"{row['experiment_id']}: {decision['verdict']} ({', '.join(decision['reasons'])})"


if __name__ == "__main__":
    main()
