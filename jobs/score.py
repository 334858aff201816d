"""Score: gold and a registered model to gold.recommendations."""

from __future__ import annotations

import logging

import click

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.recommendations.scoring import score
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import SCORE

log = logging.getLogger(__name__)


@job
@click.option("--model-version", help="Score with this version. Default: the champion.")
def main(settings: Settings, model_version: str | None) -> None:
    """Score the lists of all users in all contexts; replaces gold.recommendations in one commit.

    The champion scores; while there is none, nothing is scored. Repeated on the same tables with
    the same model, it changes nothing.
    """
    lake = open_lake(SCORE, settings)
    with run_alone(lake.shared_checkpoint(SCORE), SCORE):
        result = score(lake, settings.recommend, model_version)
    state = "made" if result.is_new else "already there"
    log.info(
        "%s lists for %s users by version %s are %s",
        f"{result.rows:,}", f"{result.users:,}", result.model_version, state,
    )  # fmt: skip


if __name__ == "__main__":
    main()
