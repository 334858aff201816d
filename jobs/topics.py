"""Topics: bring the topics of a Kafka cluster to the declarations of conf/topics.yaml."""

from __future__ import annotations

from collections.abc import Sequence

import click

from jobs.runtime.cli import job
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.kafka.clients import admin
from jobs.runtime.kafka.contract_topics import refuse_mismatches
from jobs.runtime.kafka.embedded_broker import has_kafka, kafka_of
from jobs.runtime.kafka.topic_changes import plan_steps, refuse_steps, survey_of_none, take_steps
from jobs.runtime.kafka.topics import Step, load_topics
from jobs.runtime.settings import Settings


def _show(steps: Sequence[Step]) -> None:
    """Print the changes or refusals of each topic."""
    for step in steps:
        for line in step.refusals() or step.changes() or [""]:
            click.echo(f"{step.name:<30}{step.action:<11}{line}".rstrip())


@job
@click.option("--plan", "only_plan", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--grow", multiple=True, metavar="TOPIC", help="Let this topic's partitions grow.")
def main(settings: Settings, only_plan: bool, grow: tuple[str, ...]) -> None:
    """Create and update the topics of conf/topics.yaml; safe to repeat."""
    declared = load_topics(settings.profile)
    refuse_mismatches(load_registry(), declared)
    if only_plan and not has_kafka(settings):
        _show(survey_of_none(declared, grow))
        return
    with kafka_of(settings) as kafka, admin(kafka) as client:
        steps = plan_steps(client, kafka, declared, grow)
        _show(steps)
        if only_plan:
            refuse_steps(steps)
        else:
            take_steps(client, kafka, steps)


if __name__ == "__main__":
    main()
