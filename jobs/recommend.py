"""Recommend: show a user's recommendations, as an application gets them."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import Lake, open_lake
from jobs.runtime.online.gold_lists import GoldLists
from jobs.runtime.online.opening import open_store
from jobs.runtime.online.recommendation_query import RecommendationQuery
from jobs.runtime.settings import Settings
from transforms.recommendations.contexts import CONTEXT_TYPES, HOMEPAGE


@job
@click.argument("user")
@click.option("--type", "kind", type=click.Choice(CONTEXT_TYPES), default=HOMEPAGE)
@click.option("--device", help="A device type, as smart_tv.")
@click.option("--region", help="A region, as us-east-1.")
@click.option("--gold", is_flag=True, help="Fall back to gold, by Spark, if need be.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(
    settings: Settings,
    user: str,
    kind: str,
    device: str | None,
    region: str | None,
    gold: bool,
    as_json: bool,
) -> None:
    """Show the recommendations of USER, where they came from, and why each title is there."""
    options = {"type": kind, "device": device, "region": region}
    context = {name: value for name, value in options.items() if value is not None}
    lists = GoldLists(_lake(settings)) if gold else None
    store = open_store(settings.online, settings.recommend.model, settings.lake.root)
    answer = RecommendationQuery(store, lists, settings.online.cache_s).get(user, context)
    if as_json:
        click.echo(json.dumps(asdict(answer), indent=2))
        return
    click.echo(f"{user}, {answer.context_type}: from {answer.source}, model {answer.model_version}")
    for note in answer.notes:
        click.echo(f"  note: {note}")
    for item in answer.items:
        name = item["metadata"]["name"]
        click.echo(f"{item['rank']:>3} {item['score']:8.4f}  {name}  ({item['reason']})")


def _lake(settings: Settings) -> Lake:
    """Open the lake at its live or pinned generation."""
    return open_lake("recommend", settings)


if __name__ == "__main__":
    main()
