"""Notebooks: executed over a lake, each rendered as a self-contained page."""

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

from jobs.runtime.conf_files import CODE_DIR, HOME
from jobs.runtime.errors import DataError, PlayheadError, ServiceError, SettingsError
from jobs.runtime.pages import page
from jobs.runtime.settings import Settings

FOLDER = HOME / "notebooks"


CELL_TIMEOUT_S = 600


PARAMETERS = "parameters"  # tag of the cell of parameters, the same as papermill's


FIGURE = "application/vnd.plotly.v1+json"


FAULTS: Mapping[str, type[PlayheadError]] = {
    kind.__name__: kind for kind in (SettingsError, ServiceError, DataError)
}


def notebooks() -> list[Path]:
    """The notebook files, in the order of their names."""
    return sorted(FOLDER.glob("*.ipynb"))


def notebook(name: str) -> Path:
    """The file of a notebook.

    Args:
        name: name of the notebook, without `.ipynb`.

    Raises:
        SettingsError: there is no notebook of this name.
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
        settings: settings of the lake.
        asked: values for names of its first cell, besides the lake and its generation.

    Returns:
        The file of the page.

    Raises:
        SettingsError: the notebook's first cell has no such name.
        PlayheadError: the notebook ended with this error, as on an empty lake.
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
    """Execute a notebook with parameters.

    Args:
        file: the notebook.
        parameters: values for names of its cell of parameters.

    Returns:
        The notebook with its outputs.

    Raises:
        SettingsError: the notebook has no such parameter.
        PlayheadError: the notebook ended with this error.
    """
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
    """The parameters `lake` and, if a generation is pinned, `generation`."""
    root, pinned = settings.lake.root, settings.lake.generation
    lake = root if "://" in root else str(Path(root).absolute())
    return {"lake": lake} if pinned is None else {"lake": lake, "generation": pinned}


def _inject_parameters(read: NotebookNode, parameters: Mapping[str, Any], name: str) -> None:
    """Insert a cell behind the cell of parameters that assigns other values, as papermill does.

    Raises:
        SettingsError: the cell of parameters has no such name.
    """
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
    """The names that the assignments of a cell's source define."""
    targets = (node.targets for node in ast.parse(source).body if isinstance(node, ast.Assign))
    return [target.id for each in targets for target in each if isinstance(target, ast.Name)]


def _cell_html(cell: NotebookNode) -> dict[str, Any]:
    """Render a cell as HTML.

    Returns:
        `prose` for Markdown, else `code` and `outputs`.
    """
    if cell.cell_type == "markdown":
        return {"prose": mistune.html(cell.source)}
    code = highlight(cell.source, PythonLexer(), HtmlFormatter())
    return {"code": code, "outputs": [_output(each) for each in cell.outputs]}


def _output(output: NotebookNode) -> dict[str, str]:
    """Render one output of a cell.

    Returns:
        `text` or `html`; empty for streams other than standard output.
    """
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
