"""The command line that every job shares: --env, --set, and errors in one line."""

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
    """An option type: an RFC 3339 instant with its offset, to the microsecond."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse the text of the option.

        Returns:
            The instant in UTC.
        """
        try:
            at = datetime.fromisoformat(value)
            if at.utcoffset() is not None:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        return self.fail(f"{value!r} is not an instant such as 2026-01-31T12:00:00Z", param, ctx)


class PageFile(click.Path):
    """An option type: a file for an HTML page that has JSON of the same name beside it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Convert the option to a path, refusing names that end in `.json`."""
        file = Path(os.fsdecode(super().convert(value, param, ctx)))
        if file.suffix == ".json":
            self.fail(f"{value!r} is where the page's JSON goes: name a .html file", param, ctx)
        return file


def job(function: Callable[..., None]) -> click.Command:
    """Make a click command of a job: `function(settings, **options)` with --env and --set added.

    The function's docstring is the help text. A PlayheadError is printed as one line on
    standard error and becomes the exit code; Ctrl-C exits with 130 after the job's own
    clean-up.

    Args:
        function: the job.

    Returns:
        The command.
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
        """Load the settings and run the job, with logging and friendly errors."""
        log_to_console()
        with friendly_errors():
            function(settings=load_settings(profile, overrides), **options)

    return click.command(help=function.__doc__, context_settings={"max_content_width": 100})(run)


def refuse_ignored(
    modes: Mapping[str, Collection[str]], needs: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a decorator by which a job refuses options that it would ignore.

    It stands below @job. The job refuses before it does anything.

    Args:
        modes: names of the options and arguments that go with a mode, as the command line has
            them, by the option that chooses the mode; --env and --set go with all.
        needs: name of the option without which an option has no effect, by option.

    Returns:
        The decorator; it raises ValueError for names that are no option of the job.
    """

    def refusing(function: Callable[..., None]) -> Callable[..., None]:
        """Wrap a job in the check of its options.

        Raises:
            ValueError: `modes` or `needs` name what is no option or argument of the job.
        """
        declared = {*map(_shown, vars(function)["__click_params__"]), *OF_EVERY_JOB}
        named = {*modes, *needs, *needs.values(), *chain.from_iterable(modes.values())}
        if not named <= declared:
            raise ValueError(f"no option of {function.__module__}: {sorted(named - declared)}")

        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> None:
            """Check the options given on the command line, then run the job.

            Raises:
                SettingsError: options do not go together.
            """
            given = _given_options()
            for mode in (mode for mode in modes if mode in given):
                _refuse_others(mode, modes[mode], given)
            for option, needed in needs.items():
                if option in given and needed not in given:
                    raise SettingsError(f"{option} without {needed}", f"give {needed} as well")
            function(*arguments, **options)

        return run

    return refusing


def name_and_value(option: str, text: str) -> tuple[str, str]:
    """The name and the value of one NAME=VALUE.

    Args:
        option: what it was given for, for the message.
        text: as it was given.

    Raises:
        SettingsError: there is no value.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"{option} {text!r} has no value", "write it as NAME=VALUE")
    return name, value


def _shown(parameter: click.Parameter) -> str:
    """The name of an option or argument as the command line has it."""
    is_option = isinstance(parameter, click.Option)
    return parameter.opts[0] if is_option else parameter.human_readable_name


def _refuse_others(mode: str, allowed: Collection[str], given: Sequence[str]) -> None:
    """Raise SettingsError for the first given option that does not go with a mode."""
    for other in given:
        if other not in (mode, *allowed, *OF_EVERY_JOB):
            remedy = "leave out one of them"
            if allowed:
                remedy += f"; with {mode} goes: {', '.join(allowed)}"
            raise SettingsError(f"{other} does not go with {mode}", remedy)


def _given_options() -> list[str]:
    """The names of the options and arguments that the running command line states."""
    context = click.get_current_context()
    return [
        _shown(parameter)
        for parameter in context.command.params
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]


def log_to_console() -> None:
    """Log progress at INFO, and from libraries only what fails for good."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S"
    )
    # exceptions of a batch function are reported by jobs.runtime.streams
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    # py4j logs calls that Ctrl-C interrupts to the root logger, with a trace; playhead by module
    logging.getLogger().addFilter(lambda record: record.name != "root")
    # kafka-python logs each connection attempt; what fails for good it also raises
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    for chatty in ("great_expectations", "traitlets", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # MLflow sets its own level when it is imported, and warns of the pickle that a pyfunc is
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn a known fault in the block into one line and its exit code, and Ctrl-C into 130.

    Raises:
        SystemExit: a known fault, or Ctrl-C.
    """
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
