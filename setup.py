"""What pyproject.toml cannot say: a wheel holds the files that jobs read, below playhead/.

They lie at the top of the repository, outside every package; jobs/runtime/conf_files.py finds them
in either place.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

READ_BY_JOBS = ("conf", "notebooks", "constraints.txt")
OF_ONE_MACHINE = (Path("conf/local.yaml"),)


def files() -> Iterator[Path]:
    """The files that jobs read, relative to the repository."""
    for top in map(Path, READ_BY_JOBS):
        below = top.rglob("*") if top.is_dir() else [top]
        for file in sorted(below):
            hidden = any(part.startswith((".", "__")) for part in file.parts)
            if file.is_file() and not hidden and file not in OF_ONE_MACHINE:
                yield file


class BuildPy(build_py):
    """Build the packages from nothing, and beside them what jobs read."""

    def run(self) -> None:
        """Fill the build folder; one left by another build may hold modules that are gone."""
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        for file in files():
            target = Path(self.build_lib, "playhead", file)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(str(file), str(target))

    def get_source_files(self) -> list[str]:
        """List what a source distribution has to hold."""
        return [*super().get_source_files(), *map(str, files())]


setup(cmdclass={"build_py": BuildPy})
