"""The command line every job shares: --env, --set, and errors in one line."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jobs.runtime.settings import load_settings
from jobs.runtime.spark.failures import known

INTERRUPTED = 130


class AwareInstant(click.ParamType[datetime]):
    """RFC 3339 with its offset, to the microsecond."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read the text of the option, as an instant in UTC."""
        try:
            at = datetime.fromisoformat(value)
            if at.utcoffset() is not None:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        return self.fail(f"{value!r} is not an instant such as 2026-01-31T12:00:00Z", param, ctx)


class PageFile(click.Path):
    """A file for a page that has JSON of the same name beside it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Read the option."""
        file = Path(os.fsdecode(super().convert(value, param, ctx)))
        if file.suffix == ".json":
            self.fail(f"{value!r} is where the page's JSON goes: name a .html file", param, ctx)
        return file


def job(function: Callable[..., None]) -> click.Command:
    """Make a command of a job: `function(settings, **options)` with --env and --set added.

    The function's docstring is the help text. A PlayheadError is printed as one line on
    standard error and becomes the exit code; Ctrl-C exits with 130 after the job's own
    clean-up.
    """

    @click.option(
        "--env",
        "profile",
        default="local",
        show_default=True,
        metavar="PROFILE",
        help="Profile of conf/pipeline.yaml: local or cluster.",
    )
    @click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override one setting, for example --set ingest.trigger_s=5. Repeatable.",
    )
    @functools.wraps(function)
    def run(profile: str, overrides: tuple[str, ...], **options: Any) -> None:
        log_to_console()
        with friendly_errors():
            function(settings=load_settings(profile, overrides), **options)

    return click.command(help=function.__doc__, context_settings={"max_content_width": 100})(run)


def log_to_console() -> None:
    """Log what a person follows; libraries only speak up when they fail for good."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S"
    )
    # what a batch function raises is told by jobs.runtime.streams
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    # py4j tells the root logger, with a trace, that Ctrl-C met a call; playhead logs by module
    logging.getLogger().addFilter(lambda record: record.name != "root")
    # kafka-python logs each attempt of a connection; what fails for good it also raises
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    for chatty in ("great_expectations", "traitlets", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # MLflow sets its own level when it is imported, and warns of the pickle that a pyfunc is
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn a fault that is known into one line and its exit code, and Ctrl-C into 130."""
    try:
        yield
    except Exception as error:
        fault = known(error)
        if fault is None:
            raise
        click.echo(f"error: {fault}", err=True)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        click.echo("stopped by Ctrl-C", err=True)
        sys.exit(INTERRUPTED)
