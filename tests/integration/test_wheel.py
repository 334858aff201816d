"""The wheel, installed where no checkout is: every command and every file that jobs read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.__main__ import READERS
from jobs.runtime.conf_files import CODE_DIR, CONF_DIR, HOME
from jobs.runtime.errors import SettingsError
from jobs.runtime.spark.packaging import ZIP

pytestmark = pytest.mark.slow
BUILT_FROM = ("conf", "jobs", "notebooks", "transforms")
PLACES = """
import json
import jobs
from jobs.runtime import conf_files
print(json.dumps([jobs.__file__, str(conf_files.CODE_DIR), str(conf_files.HOME)]))
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the checkout that holds what another build and a machine left."""
    source = tmp_path_factory.mktemp("source")
    for name in BUILT_FROM:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HOME / name, source / name, ignore=ignore)
    for file in [file for file in HOME.iterdir() if file.is_file() and file.name[0] != "."]:
        shutil.copy2(file, source)
    (source / "conf" / "local.yaml").write_text("secret: of this machine\n")
    left = source / "build" / "lib" / "jobs" / "gone.py"
    left.parent.mkdir(parents=True)
    left.write_text("")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", source / "dist", source)
    [file] = (source / "dist").glob("*.whl")
    return file


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and this one's packages behind it: no checkout among them."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    _pip("--python", folder / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    shared = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (packages / "shared.pth").write_text("".join(f"{path}\n" for path in shared))
    return folder


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Run:
    """Run a program of the environment in an empty folder."""

    def run(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
        return subprocess.run(
            [str(environment / "bin" / program), *arguments],
            env={**kept, "COLUMNS": "200", **variables},
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )

    return run


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_code_and_what_jobs_read_come_from_the_wheel(run: Run, environment: Path) -> None:
    code, folder, home = map(Path, json.loads(run("python", "-c", PLACES).stdout))
    assert code.is_relative_to(environment)
    assert (folder, home) == (code.parents[1], code.parents[1] / "playhead")
    assert _files(home / "conf") == _files(CONF_DIR) - {"local.yaml"}
    assert _files(home / "notebooks") == _files(HOME / "notebooks")
    assert not (folder / "jobs" / "gone.py").exists()
    templates = Path("jobs", "runtime", "templates")
    assert _files(folder / templates) == _files(CODE_DIR / templates)


def _files(folder: Path) -> set[str]:
    files = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return {str(file) for file in files if file.parts[0][0] not in "._"}


def test_the_console_command_lists_every_job(run: Run) -> None:
    shown = run("playhead", "--help")
    assert shown.returncode == 0, shown.stderr
    listed = {line.split()[0] for line in shown.stdout.splitlines() if line.startswith("  ")}
    assert {name for names in READERS.values() for name in names} <= listed


def test_a_job_has_the_same_help_by_the_console_command_and_by_its_module(run: Run) -> None:
    console, module = (
        run("playhead", "topics", "--help"),
        run("python", "-m", "jobs.topics", "--help"),
    )
    assert console.returncode == module.returncode == 0, console.stderr
    named, other = console.stdout.splitlines(), module.stdout.splitlines()
    assert named[0] == "Usage: playhead topics [OPTIONS]"
    assert named[1:] == other[1:]


def test_an_unknown_command_is_one_line(run: Run) -> None:
    done = run("playhead", "contract")
    assert done.returncode == SettingsError.exit_code
    assert done.stdout == ""
    assert done.stderr == (
        "error: playhead has no command 'contract' -> "
        "use playhead contracts or one of those that playhead --help lists\n"
    )


def test_contracts_and_templates_are_read_from_the_wheel(run: Run, tmp_path: Path) -> None:
    checked = run("playhead", "contracts", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    written = run("playhead", "contracts", "docs", "--out", "contracts.html")
    assert written.returncode == 0, written.stderr
    assert "VideoPlaybackStarted" in (tmp_path / "contracts.html").read_text()


def test_notebooks_are_found(run: Run) -> None:
    done = run("playhead", "notebooks", "nothing")
    assert done.returncode == SettingsError.exit_code
    names = sorted(file.stem for file in (HOME / "notebooks").glob("*.ipynb"))
    assert done.stderr.endswith(f"-> use one of: {', '.join(names)}\n")


def test_a_job_that_needs_spark_runs(run: Run) -> None:
    done = run("playhead", "generations", "list", "--set", "lake.root=lake")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "live", "streamed;"]


def test_the_package_for_spark_submit_is_whole(run: Run, tmp_path: Path) -> None:
    done = run("playhead", "package", "--out", "x")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "x"
    assert _files(out / "conf") == _files(CONF_DIR) - {"local.yaml"}
    assert (out / "constraints.txt").read_bytes() == (HOME / "constraints.txt").read_bytes()
    assert "pyspark" in (out / "requirements.txt").read_text().splitlines()
    assert {"jars", "jobs", "transforms", ZIP} < {path.name for path in out.iterdir()}
    from_zip = json.loads(run("python", "-c", PLACES, PYTHONPATH=str(out / ZIP)).stdout)
    assert from_zip == [str(out / ZIP / "jobs" / "__init__.py"), str(out), str(out)]
