"""Tune: search for better settings of the recommender, and train a challenger by them."""

from __future__ import annotations

import logging
from typing import Literal

import click

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.recommendations.model_registry import open_model_registry
from jobs.runtime.recommendations.retraining import retrain
from jobs.runtime.recommendations.tuned_settings import found_by, settings_in_force, with_declared
from jobs.runtime.recommendations.tuning import Plan, tune
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import TUNE

log = logging.getLogger(__name__)


@job
@click.option("--minutes", type=click.FloatRange(min=0), default=Plan.minutes, show_default=True,
              help="Begin no trial after so many minutes.")  # fmt: skip
@click.option("--trials", type=click.IntRange(min=1), default=Plan.trials, show_default=True,
              help="Try no more settings than these.")  # fmt: skip
@click.option("--split", type=click.Choice(["temporal", "random"]), default=Plan.split,
              show_default=True, help="Judge by what came later, or at random.")  # fmt: skip
@click.option("--cuts", type=click.IntRange(min=1), default=Plan.cuts, show_default=True,
              help="Judge by so many parts; 1 is quickest, for a large catalogue.")  # fmt: skip
@click.option("--draws", type=click.IntRange(min=0), default=Plan.draws, show_default=True,
              help="Draw so many settings at random before stepping from the best.")  # fmt: skip
@click.option("--users", type=click.IntRange(min=1), default=Plan.users, show_default=True,
              help="Judge each part by at most so many users.")  # fmt: skip
@click.option("--seed", type=int, default=Plan.seed, show_default=True, help="Seed of the search.")
def main(
    settings: Settings,
    minutes: float,
    trials: int,
    split: Literal["temporal", "random"],
    cuts: int,
    draws: int,
    users: int,
    seed: int,
) -> None:
    """Search for settings by which lists foretell more, and train the challenger by them.

    Settings are judged on cuts in what was known before the cut that jobs.train judges by: what
    came after it is never looked at, so the gate judges the winner as it would any challenger. Each
    trial is a nested run in MLflow. Started again on the same tables, a tuning goes on from the
    trials that it had made. Trainings follow the settings found once their model is the champion,
    until recommend.* is changed.
    """
    plan = Plan(split, cuts, draws, users, seed, minutes, trials)
    lake = open_lake(TUNE, settings)
    registry = open_model_registry(settings.recommend, lake.root)
    with run_alone(lake.shared_checkpoint(TUNE), TUNE):
        begun, _ = settings_in_force(registry, settings.recommend)
        found = tune(lake, begun, plan)
        log.info("nDCG@10 %.4f on validation, %.4f by the settings as they were, %s trials%s",
                 found.value, found.start, found.trials,
                 "" if found.finished else "; the budget ended the search")  # fmt: skip
        for name, value in found.changes.items():
            log.info("recommend.%s: %s -> %s", name, found.began[name], value)
        tags = found_by(settings.recommend, found.run_id)
        retrain(lake, with_declared(begun, found.declared), tags=tags)


if __name__ == "__main__":
    main()
