"""Notebooks: run over a lake, each written as a page that needs nothing else."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mistune
import nbformat
import plotly.io
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from traitlets.config import Config

from jobs.runtime.errors import DataError, PlayheadError, ServiceError, SettingsError
from jobs.runtime.pages import page
from jobs.runtime.settings import CODE_DIR, HOME, Settings

FOLDER = HOME / "notebooks"


CELL_TIMEOUT_S = 600


PARAMETERS = "parameters"  # the tag that papermill knows too


FIGURE = "application/vnd.plotly.v1+json"


FAULTS: Mapping[str, type[PlayheadError]] = {
    kind.__name__: kind for kind in (SettingsError, ServiceError, DataError)
}


def notebooks() -> list[Path]:
    """All of them, in their order."""
    return sorted(FOLDER.glob("*.ipynb"))


def notebook(name: str) -> Path:
    """The file of a notebook.

    Raises:
        SettingsError: there is none of this name.
    """
    file = FOLDER / f"{name}.ipynb"
    if not file.exists():
        known = ", ".join(each.stem for each in notebooks())
        raise SettingsError(
            f"there is no notebook '{name}' in {FOLDER}",
            f"use one of: {known or 'none, run it from the repository'}",
        )
    return file


def write_notebook_page(file: Path, to: Path, settings: Settings, asked: Mapping[str, Any]) -> Path:
    """Run a notebook over a lake and write its page.

    Args:
        file: the notebook.
        to: folder of the page.
        settings: the lake.
        asked: values for names of its first cell, besides the lake and its generation.

    Returns:
        The page.

    Raises:
        SettingsError: the notebook's first cell has no such name.
        PlayheadError: the one that the notebook ended with, as on an empty lake.
    """
    cells = execute_notebook(file, {**_lake(settings), **asked}).cells
    shown = [_cell_html(cell) for cell in cells]
    title = cells[0].source.splitlines()[0].lstrip("# ")
    text = page("notebook.html", title=title, cells=shown, style=HtmlFormatter().get_style_defs())
    to.mkdir(parents=True, exist_ok=True)
    target = to / f"{file.stem}.html"
    target.write_text(text, encoding="utf-8")
    return target


def execute_notebook(file: Path, parameters: Mapping[str, Any]) -> NotebookNode:
    """A notebook with the outputs that it has by these parameters; see `write_notebook_page`."""
    read: NotebookNode = nbformat.read(file, as_version=nbformat.NO_CONVERT)
    _inject_parameters(read, parameters, file.stem)
    client = NotebookClient(
        read,
        timeout=CELL_TIMEOUT_S,
        resources={"metadata": {"path": str(CODE_DIR)}},
        config=Config(KernelManager={"transport": "ipc"}),  # no port that others could reach
    )
    try:
        client.execute(env={**os.environ, "PLOTLY_RENDERER": "plotly_mimetype"})
    except CellExecutionError as error:
        if error.ename not in FAULTS:
            raise
        problem, _, remedy = error.evalue.partition(" -> ")
        raise FAULTS[error.ename](f"notebook {file.stem}: {problem}", remedy) from None
    return read


def _lake(settings: Settings) -> dict[str, Any]:
    """The lake, and the generation if one is pinned."""
    root, pinned = settings.lake.root, settings.lake.generation
    lake = root if "://" in root else str(Path(root).absolute())
    return {"lake": lake} if pinned is None else {"lake": lake, "generation": pinned}


def _inject_parameters(read: NotebookNode, parameters: Mapping[str, Any], name: str) -> None:
    """Put a cell behind the first one that gives its names other values, as papermill does."""
    place = next(
        number
        for number, cell in enumerate(read.cells)
        if PARAMETERS in cell.metadata.get("tags", [])
    )
    known = _assigned_names(read.cells[place].source)
    unknown = next((each for each in parameters if each not in known), None)
    if unknown is not None:
        raise SettingsError(f"notebook {name} has no '{unknown}'", f"use one of: {known}")
    lines = (f"{each} = {value!r}" for each, value in parameters.items())
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["injected-parameters"]})
    read.cells.insert(place + 1, cell)


def _assigned_names(source: str) -> list[str]:
    targets = (node.targets for node in ast.parse(source).body if isinstance(node, ast.Assign))
    return [target.id for each in targets for target in each if isinstance(target, ast.Name)]


def _cell_html(cell: NotebookNode) -> dict[str, Any]:
    """A cell as HTML: prose, or code and what came of it."""
    if cell.cell_type == "markdown":
        return {"prose": mistune.html(cell.source)}
    code = highlight(cell.source, PythonLexer(), HtmlFormatter())
    return {"code": code, "outputs": [_output(each) for each in cell.outputs]}


def _output(output: NotebookNode) -> dict[str, str]:
    if output.output_type == "stream":
        return {"text": output.text} if output.name == "stdout" else {}
    data: dict[str, Any] = output.get("data", {})
    if FIGURE in data:
        drawn = plotly.io.to_html(
            {name: data[FIGURE][name] for name in ("data", "layout")},
            config={"displayModeBar": False},
            include_plotlyjs=False,
            full_html=False,
        )
        return {"html": drawn}
    if "text/markdown" in data:
        return {"html": str(mistune.html(data["text/markdown"]))}
    if "text/html" in data:
        return {"html": data["text/html"]}
    return {"text": data.get("text/plain", "")}
