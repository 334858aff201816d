"""The console command: `playhead ingest` is `python -m jobs.ingest`, and --help lists all jobs.

A job is imported only when it is run: the list is read from the files of the jobs.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any, NoReturn

import click

from jobs.runtime.errors import PlayheadError, ServiceError, SettingsError

READERS: Mapping[str, tuple[str, ...]] = {  # names of jobs, as typed, by reader
    "Everybody": ("setup", "demo"),
    "Data engineer": (
        *("topics", "broker", "replay", "simulate"),
        *("ingest", "refine", "fold", "stream"),
        *("recompute", "generations", "compare", "release", "lateness", "package"),
    ),
    "Analyst": ("notebooks", "training-set", "attribute", "experiments"),
    "Operator": ("quality", "maintain", "erase", "train", "tune", "promote", "score", "publish"),
    "Application developer": ("contracts", "commands", "profile", "recommend", "serve"),
}


class Jobs(click.Group):
    """The jobs as commands of one group, each by its name with hyphens for underscores."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all jobs, as typed."""
        return [name for names in READERS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a job.

        Args:
            ctx: context of the command line.
            cmd_name: name of the job, with hyphens or underscores.

        Returns:
            The job's command; None if there is no such job.
        """
        name = cmd_name.replace("_", "-")
        if name not in self.list_commands(ctx):
            return None
        module = module_of(name).name
        try:
            command: click.Command = import_module(module).main
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] in ("jobs", "transforms"):
                raise
            exit_with(
                ServiceError(
                    f"playhead {name} needs the module {error.name}, which is not installed",
                    "pip install 'playhead[notebooks]'",
                )
            )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the job that a command line names; end with its nearest names if there is none."""
        names, asked = self.list_commands(ctx), args[0].replace("_", "-")
        if asked not in names and not asked.startswith("-"):
            near = [f"playhead {name}" for name in get_close_matches(asked, names)]
            remedy = "use " + " or ".join([*near, "one of those that playhead --help lists"])
            exit_with(SettingsError(f"playhead has no command '{args[0]}'", remedy))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the jobs of each reader, with their descriptions."""
        width = max(map(len, self.list_commands(ctx)))
        for reader, names in READERS.items():
            with formatter.section(reader):
                formatter.write_dl([(name.ljust(width), description(name)) for name in names])


def module_of(name: str) -> ModuleSpec:
    """The module of a job, without importing it.

    Args:
        name: name of the job, as typed.

    Raises:
        ModuleNotFoundError: there is no such job.
    """
    module = f"jobs.{name.replace('-', '_')}"
    spec = find_spec(module)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = find_spec(f"{module}.__main__")
    if spec is None:
        raise ModuleNotFoundError(f"there is no module {module}", name=module)
    return spec


def description(name: str) -> str:
    """The first line of a job's module docstring, without the job's own name."""
    loader: Any = module_of(name).loader
    source = loader.get_source(loader.name)
    text = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    own, colon, rest = text.partition(": ")
    if not colon or not own.lower().startswith(name.replace("-", " ")):
        return text
    begins_with_a_table = "." in rest.partition(" ")[0]
    return rest if begins_with_a_table else rest[0].upper() + rest[1:]


def exit_with(error: PlayheadError) -> NoReturn:
    """End the command: print the error as one line on standard error, and exit with its code."""
    click.echo(f"error: {error}", err=True)
    raise SystemExit(error.exit_code)


@click.group(cls=Jobs, context_settings={"max_content_width": 100})
@click.version_option(package_name="playhead")
def main() -> None:
    """Event analytics for video streaming: Kafka to Delta with Spark, batch equal to stream.

    `playhead JOB --help` lists a job's options; `python -m jobs.JOB` is the same job.
    """


if __name__ == "__main__":
    main(prog_name="playhead")
