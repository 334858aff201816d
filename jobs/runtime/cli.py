"""The command line every job shares: --env, --set, and errors in one line."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
from click.core import ParameterSource

from jobs.runtime.errors import SettingsError
from jobs.runtime.settings import load_settings
from jobs.runtime.spark.failures import known_failure

INTERRUPTED = 130
OF_EVERY_JOB = ("--env", "--set")


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


def refuse_ignored(
    modes: Mapping[str, Collection[str]], needs: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a job refuse what it would ignore, before it does anything. Stands below @job.

    Args:
        modes: by the option that chooses what is done, the names of the options and arguments
            that go with it, as the command line has them; --env and --set go with all.
        needs: by option, the one without which it says nothing.
    """

    def refusing(function: Callable[..., None]) -> Callable[..., None]:
        declared = {*map(_shown, vars(function)["__click_params__"]), *OF_EVERY_JOB}
        named = {*modes, *needs, *needs.values(), *chain.from_iterable(modes.values())}
        if not named <= declared:
            raise ValueError(f"no option of {function.__module__}: {sorted(named - declared)}")

        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> None:
            given = _given_options()
            for mode in (mode for mode in modes if mode in given):
                _refuse_others(mode, modes[mode], given)
            for option, needed in needs.items():
                if option in given and needed not in given:
                    raise SettingsError(f"{option} without {needed}", f"give {needed} as well")
            function(*arguments, **options)

        return run

    return refusing


def _shown(parameter: click.Parameter) -> str:
    """An option or argument as the command line has it."""
    is_option = isinstance(parameter, click.Option)
    return parameter.opts[0] if is_option else parameter.human_readable_name


def _refuse_others(mode: str, allowed: Collection[str], given: Sequence[str]) -> None:
    for other in given:
        if other not in (mode, *allowed, *OF_EVERY_JOB):
            remedy = "leave out one of them"
            if allowed:
                remedy += f"; with {mode} goes: {', '.join(allowed)}"
            raise SettingsError(f"{other} does not go with {mode}", remedy)


def _given_options() -> list[str]:
    """The options and arguments of the running command that the command line states."""
    context = click.get_current_context()
    return [
        _shown(parameter)
        for parameter in context.command.params
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]


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
        fault = known_failure(error)
        if fault is None:
            raise
        click.echo(f"error: {fault}", err=True)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        click.echo("stopped by Ctrl-C", err=True)
        sys.exit(INTERRUPTED)
