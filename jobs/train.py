"""Train: gold to a registered model, evaluated on a temporal split."""

from __future__ import annotations

import logging

import click

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.recommendations.model_registry import open_model_registry
from jobs.runtime.recommendations.retraining import retrain
from jobs.runtime.recommendations.tuned_settings import FOUND_BY, settings_in_force
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import TRAIN

log = logging.getLogger(__name__)


@job
@click.option("--from-scratch", is_flag=True, help="Count all histories anew; always trains.")
def main(settings: Settings, from_scratch: bool) -> None:
    """Train the recommendation model from gold and register it as the challenger.

    Its settings are evaluated on a temporal split against popularity and the champion's settings;
    the run in MLflow holds parameters, data and code versions, metrics, plots and a model card.
    python -m jobs.promote puts it into service. If the challenger is already that of these very
    tables, settings and code, nothing is trained. While the champion's settings are those that
    python -m jobs.tune found from these recommend.*, trainings go by what it found.
    """
    lake = open_lake(TRAIN, settings)
    registry = open_model_registry(settings.recommend, lake.root)
    recommend, tags = settings_in_force(registry, settings.recommend)
    if tags:
        log.info("by the settings that a tuning found for the champion, MLflow run %s",
                 tags[FOUND_BY])  # fmt: skip
    retrain(lake, recommend, scratch=from_scratch, tags=tags)


if __name__ == "__main__":
    main()
