"""Run benchmarks by name: `python -m tests.benchmarks.run [NAME]`, all of them without a name.

A benchmark is a module here with `run() -> dict`; what it returns goes to
build/bench/<name>.json. Each runs in a process of its own.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import click

from jobs.runtime.cli import friendly_errors, log_to_console
from jobs.runtime.errors import SettingsError

HERE = Path(__file__).parent
OUT = Path("build/bench")


def names() -> list[str]:
    """The benchmarks: the modules of this folder that define `run`."""
    modules = sorted(file for file in HERE.glob("*.py") if file.stem != "run")
    return [file.stem for file in modules if "\ndef run(" in file.read_text(encoding="utf-8")]


@click.command()
@click.argument("scenario", required=False)
def main(scenario: str | None) -> None:
    """Run SCENARIO, or every benchmark one after the other."""
    with friendly_errors():
        if scenario is None:
            for name in names():
                subprocess.run([sys.executable, "-m", "tests.benchmarks.run", name], check=True)
            return
        module = scenario.replace("-", "_")
        if module not in names():
            raise SettingsError(f"no benchmark '{scenario}'", f"use one of: {', '.join(names())}")
        _run(scenario, module)


def _run(scenario: str, module: str) -> None:
    log_to_console()
    result = importlib.import_module(f"tests.benchmarks.{module}").run()
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"scenario": scenario, **result}, indent=2)
    (OUT / f"{scenario}.json").write_text(text, encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
