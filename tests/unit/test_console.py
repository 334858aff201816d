"""The console command: what it lists, and that it imports no job before one is run."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import click
import pytest
from click.testing import CliRunner

from jobs.__main__ import READERS, description, main
from jobs.runtime.conf_files import CODE_DIR

DOORS = sorted(
    [file.stem.replace("_", "-") for file in (CODE_DIR / "jobs").glob("[a-z]*.py")]
    + [file.parent.name.replace("_", "-") for file in (CODE_DIR / "jobs").glob("*/__main__.py")]
)
LISTED = [name for names in READERS.values() for name in names]
IMPORTED = """
import json, sys
from jobs.__main__ import main
main(["--help"], standalone_mode=False)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
print(json.dumps([name for name in sys.modules if name.startswith("jobs")]))
"""


def test_every_job_is_listed_for_one_reader() -> None:
    assert sorted(LISTED) == DOORS


def test_the_help_tells_each_reader_their_jobs_and_what_each_does() -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=200)
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    for reader, names in READERS.items():
        begin = lines.index(f"{reader}:") + 1
        assert [line.split()[0] for line in lines[begin : begin + len(names)]] == list(names)
    text = " ".join(shown.output.split())
    assert all(f"{name} {description(name)}" in text for name in LISTED)


def test_a_description_is_the_first_line_of_the_module_without_its_name() -> None:
    assert description("ingest").startswith("Every topic from Kafka to bronze.events")
    assert description("refine").startswith("bronze.events to silver tables")
    assert description("training-set").startswith("A spine of users and instants")
    assert description("contracts").startswith("The contracts of conf/schemas: ")
    assert all(description(name).endswith(".") for name in LISTED)


def test_the_help_imports_no_job_and_is_there_within_a_second() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True, cwd=CODE_DIR
    )
    seconds = time.monotonic() - began
    packages, ours = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert not {"pyspark", "pandas", "pydantic"} & set(packages)
    assert set(ours) <= {
        "jobs",
        "jobs.__main__",
        "jobs.profile",
        "jobs.runtime",
        "jobs.runtime.errors",
    }
    assert seconds < 1


def test_a_job_takes_its_own_options_and_names_itself_as_it_was_called() -> None:
    shown = CliRunner().invoke(main, ["ingest", "--help"], prog_name="playhead")
    assert shown.output.startswith("Usage: playhead ingest [OPTIONS]")
    assert "--available-now" in shown.output
    shown = CliRunner().invoke(main, ["profile", "show", "--help"], prog_name="playhead")
    assert shown.output.startswith("Usage: playhead profile show [OPTIONS] USER")


@pytest.mark.parametrize("name", ["training-set", "training_set"])
def test_hyphens_and_underscores_are_the_same(name: str) -> None:
    assert isinstance(main.get_command(click.Context(main), name), click.Command)


def test_an_unknown_command_is_one_line_with_the_nearest_names() -> None:
    done = CliRunner().invoke(main, ["ingets", "--available-now"])
    assert done.exit_code == 2
    assert done.output == (
        "error: playhead has no command 'ingets' -> "
        "use playhead ingest or one of those that playhead --help lists\n"
    )


def test_a_module_of_an_extra_that_is_not_installed_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("jobs.notebooks", "jobs.runtime.notebooks"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "nbclient", None)
    done = CliRunner().invoke(main, ["notebooks", "--help"])
    assert done.exit_code == 3
    assert done.output == (
        "error: playhead notebooks needs the module nbclient, which is not installed -> "
        "pip install 'playhead[notebooks]'\n"
    )
