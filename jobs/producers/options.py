"""Command-line options that the producers of events share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jobs.producers.faults import WAYS
from transforms.instants import micros_of


class Instant(click.ParamType[int]):
    """Option type: RFC 3339 in UTC, or `now`, as whole seconds in microseconds since 1970."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Convert the option's text to microseconds since 1970."""
        try:
            at = datetime.now(UTC) if value == "now" else datetime.fromisoformat(value)
            return micros_of(at.replace(microsecond=0))
        except (TypeError, ValueError):
            self.fail(f"{value!r} is not an instant such as 2026-01-31T12:00:00Z", param, ctx)


INSTANT = Instant()
faults_option = click.option(
    "--faults",
    default="",
    metavar="NAME=SHARE,...",
    help=f"Let things go wrong, as in duplicates=0.02,malformed=0.01. Faults: {', '.join(WAYS)}.",
)
truth_option = click.option(
    "--truth",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write down first, as JSON, what is sent and what must become of it.",
)
