"""The style of figures and pages: colours, titles, and self-contained HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from pandas.io.formats.style import Styler
from plotly.offline import get_plotlyjs

INK, BRONZE, SILVER, GOLD, RED, BLUE = (
    *("#1f2933", "#b0753a", "#8a97a6", "#d9a520", "#c0392b", "#2f6db5"),
)
HEIGHT = 320


def apply_style(figure: go.Figure, title: str = "", x: str = "", y: str = "") -> go.Figure:
    """Apply the style of the pages to a figure.

    Args:
        figure: figure to be changed in place.
        title: title of the figure; empty: the page has a heading above it.
        x: title of the horizontal axis with its unit; empty: unchanged.
        y: title of the vertical axis with its unit; empty: unchanged.

    Returns:
        The same figure.
    """
    names = {f"{axis}axis_title": name for axis, name in (("x", x), ("y", y)) if name}
    return figure.update_layout(
        template="plotly_white",
        height=figure.layout.height or HEIGHT,
        title={"text": title, "x": 0, "xref": "paper"} if title else None,
        margin={"l": 10, "r": 10, "t": 50 if title else 10, "b": 10},
        font={"color": INK},
        xaxis={"automargin": True},
        yaxis={"automargin": True},
        **names,
    )


def format_table(rows: pd.DataFrame) -> Styler:
    """Style rows for a notebook: no index, thousands separated, nulls empty."""
    return rows.style.hide(axis="index").format(precision=2, thousands=",", na_rep="")


def html_of(figure: go.Figure) -> str:
    """The HTML of a figure, without plotly itself, to be put into a page that carries it."""
    text: str = figure.to_html(
        full_html=False, include_plotlyjs=False, config={"displayModeBar": False}
    )
    return text


def page(template: str, **values: Any) -> str:
    """Render a template of jobs/runtime/templates, with plotly in it.

    Args:
        template: file name of the template.
        values: variables of the template; a missing one is an error.

    Returns:
        The HTML of the page.
    """
    pages = Environment(
        loader=PackageLoader("jobs.runtime", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
    )
    return pages.get_template(template).render(plotly=get_plotlyjs(), **values)


def write_page(file: Path, template: str, **values: Any) -> None:
    """Render a `page` into a file, and create its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page(template, **values), encoding="utf-8")
