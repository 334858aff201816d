"""Demo: real viewing data through the whole pipeline, and a report of the results."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import mistune
import yaml

from jobs.producers.exposures import SAME_FOR_ALL, same_for_all
from jobs.runtime.cli import job
from jobs.runtime.errors import DataError, PlayheadError, ServiceError
from jobs.runtime.experiments.attribution import attributing
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.experiments.readout import write_readout
from jobs.runtime.experiments.results_refresh import refresh_results
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.lake import Lake, open_live_lake
from jobs.runtime.notebooks import notebook, write_notebook_page
from jobs.runtime.online.list_publishing import publish
from jobs.runtime.online.opening import open_store
from jobs.runtime.pages import page
from jobs.runtime.pipeline import run_report
from jobs.runtime.pipeline.gold import read_gold
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.ledger import Conservation, conservation
from jobs.runtime.pipeline.together import drain, streaming
from jobs.runtime.quality.check import check, write_findings
from jobs.runtime.quality.gate import refuse_failing
from jobs.runtime.quality.measurement import summarize_findings
from jobs.runtime.recommendations.challenger import train
from jobs.runtime.recommendations.model_registry import ModelRegistry, open_model_registry
from jobs.runtime.recommendations.promotion import LEARNT_FROM, promote, refuse
from jobs.runtime.recommendations.scoring import score
from jobs.runtime.recompute.check import recompute
from jobs.runtime.recompute.parity import Parity
from jobs.runtime.settings import Settings
from jobs.runtime.streams.query import Run, follow
from transforms.gold.tables import FOLDS
from transforms.recommendations.gate import describe_difference

log = logging.getLogger(__name__)

FOLDER = Path("build/demo")
DEFINITIONS, TRUTH = FOLDER / "experiments", FOLDER / "truth.json"
NOTEBOOKS = ("1-the-lake", "3-recommendations", "5-features")  # seconds each: without Spark
FAULTS = (
    "duplicates=0.02,late=0.01,out_of_order=0.02,malformed=0.01,wrong_key=0.005,far_future=0.005"
)


@job
@click.option("--limit", type=int, help="Only this many of the about 300,000 events.")
def main(settings: Settings, limit: int | None) -> None:
    """Replay MovieLens 100K, with faults, through Kafka, bronze, silver and gold; then recompute.

    On the way a model is trained, promoted and scores all users' recommendations, and users are
    assigned to an A/A test: an experiment whose variants are the same.

    Everything is rebuilt below build/demo. Ends with build/demo/report.html and
    build/demo/summary.json, and fails if a record was lost or counted twice, or if a gold row
    differs from its recompute without a cause.
    """
    settings, judge = _for_demo(settings), load_judge(settings.refine)
    until = datetime.now(UTC).replace(microsecond=0)
    _begin_anew(until)
    seconds: dict[str, float] = {}
    with kafka_of(settings) as kafka:
        with _time_stage("start", seconds):
            apply_topics(kafka, load_topics(settings.profile))
            lake = open_live_lake("demo", settings)
        with _time_stage("stream", seconds), streaming(lake, judge, settings, kafka) as runs:
            _follow_the_replay(runs, settings, until, limit)
            batches = [dict(batch) for run in runs for batch in run.query.recentProgress]
        with _time_stage("drain", seconds):
            drain(lake, judge, settings, kafka)
        used = _use(lake, settings.model_copy(update={"kafka": kafka}), until, seconds)
    with _time_stage("count", seconds):
        sent, kept = json.loads(TRUTH.read_text(encoding="utf-8")), conservation(lake)
        gold = {fold.name: read_gold(lake, fold).count() for fold in FOLDS.values()}
    with ThreadPoolExecutor(max_workers=1) as beside:
        notebooks = beside.submit(_notebooks, settings, seconds)
        with _time_stage("recompute", seconds):
            parity = recompute(lake, judge, settings.refine)
    summary = {
        "produced": sent["produced"],
        **run_report.summarize(kept, gold),
        "parity": {
            "compared": parity.compared,
            "differing": parity.differing,
            "unexplained": parity.unexplained,
        },
        **used,
        "notebooks": notebooks.result(),
        "pages": _pages(notebooks.result()),
        "seconds": {stage: round(taken, 1) for stage, taken in seconds.items()},
    }
    _write(lake, settings, summary, batches)
    _refuse_loss(sent, kept, parity)


def _begin_anew(until: datetime) -> None:
    """Empty the demo's folder, and write the definitions of the A/A test as an operator would."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    DEFINITIONS.mkdir(parents=True)
    for name, document in same_for_all(until).items():
        text = yaml.safe_dump(document, sort_keys=False)
        (DEFINITIONS / name).write_text(text, encoding="utf-8")


def _use(
    lake: Lake, settings: Settings, until: datetime, seconds: dict[str, float]
) -> dict[str, Any]:
    """Check, recommend and decide the A/A test, as the scheduled jobs would.

    Args:
        lake: the lake, streamed to gold.
        settings: settings of the demo, with a Kafka that runs.
        until: event time of the last event.
        seconds: durations by stage, to add to.

    Returns:
        What the summary says of quality, recommendations and experiments.
    """
    with _time_stage("quality", seconds):
        findings = check(lake, docs=FOLDER / "quality")
        write_findings(findings, FOLDER / "quality" / "index.html", FOLDER / "quality.html")
    with _time_stage("recommend", seconds):
        recommended = _recommend(lake, settings)
    with _time_stage("experiment", seconds):
        experiment = _experiment(lake, settings, until)
    return {
        "recommendations": recommended,
        "quality": {**summarize_findings(findings), "data_docs": "quality/index.html"},
        "experiments": {SAME_FOR_ALL: experiment},
    }


def _write(
    lake: Lake, settings: Settings, summary: Mapping[str, Any], batches: list[dict[str, Any]]
) -> None:
    """Write summary and report, and print the summary."""
    (FOLDER / "summary.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
    store = open_model_registry(settings.recommend, lake.root).uri
    run_report.write_report(lake, summary, batches, store, FOLDER / "report.html")
    click.echo(run_report.describe(summary))
    click.echo(f"\nThe report: {FOLDER / 'report.html'}")


def _for_demo(settings: Settings) -> Settings:
    """The settings with the demo's lake, tuned for little data."""
    lake = settings.lake.model_copy(update={"root": str(FOLDER / "lake")})
    return settings.model_copy(update={"lake": lake}).tuned("little_data")


def _follow_the_replay(
    runs: Sequence[Run], settings: Settings, until: datetime, limit: int | None
) -> None:
    """Follow the streams while a process of its own sends the events, as an application would.

    Args:
        runs: the running queries.
        settings: settings of the demo.
        until: event time of the last event.
        limit: number of events to send; None: all.

    Raises:
        ServiceError: the replay failed.
    """
    command = [
        *(sys.executable, "-m", "jobs.replay", "--env", settings.profile),
        *("--set", f"lake.root={settings.lake.root}", "--faults", FAULTS),
        *("--truth", str(TRUTH)),
        *("--until", until.isoformat(), "--definitions", str(DEFINITIONS)),
        *(("--limit", str(limit)) if limit else ()),
    ]
    with subprocess.Popen(command) as replay:
        try:
            follow(*runs, until=lambda: replay.poll() is not None)
        finally:
            replay.terminate()
    if replay.returncode:
        raise ServiceError("the replay failed", "its message is above this line")


def _recommend(lake: Lake, settings: Settings) -> dict[str, Any]:
    """Train, pass the gate, score and publish.

    Returns:
        The model's version, quality and counts as a JSON document; or `refused` with the reason, as
        with too few events.
    """
    try:
        result = train(lake, settings.recommend)
        registry = open_model_registry(settings.recommend, lake.root)
        _write_model_pages(registry, result.version)
        refuse(registry, result.version)
        refuse_failing(lake, LEARNT_FROM, settings.quality, "the promotion")
        promote(settings, registry, result.version)
        scored = score(lake, settings.recommend)
        published = publish(lake, open_store(settings.online, settings.recommend.model, lake.root))
    except PlayheadError as error:
        log.warning("no recommendations: %s", error.problem)
        return {"refused": error.problem}
    return {
        "model_version": result.version,
        "sha256": result.sha256,
        "ndcg": round(result.metrics["ndcg"], 4),
        "popularity_ndcg": round(result.metrics["popularity.ndcg"], 4),
        "over_popularity": describe_difference(result.verdict.differences["popularity"]),
        "users": scored.users,
        "rows": scored.rows,
        "lists_published": published.changed,
    }


def _write_model_pages(registry: ModelRegistry, version: str) -> None:
    """Write the model card and the plots of a training as pages beside the report."""
    card = str(mistune.html(registry.document(version, "model_card.md")))
    text = page("notebook.html", title="Model card", cells=[{"prose": card}], style="")
    (FOLDER / "model_card.html").write_text(text, encoding="utf-8")
    plots = registry.document(version, "plots.html")
    (FOLDER / "model_plots.html").write_text(plots, encoding="utf-8")


def _pages(notebooks: Mapping[str, str]) -> dict[str, str]:
    """The files of the pages beside the report that exist, by title."""
    pages = {
        "Quality: every expectation of every table": "quality.html",
        "Quality: Great Expectations' data docs (they need a network)": "quality/index.html",
        "Experiment: readout of an A/A test": "experiment.html",
        "Recommendations: the model card": "model_card.html",
        "Recommendations: plots of the trial": "model_plots.html",
        **{f"Notebook: {name}": file for name, file in notebooks.items()},
    }
    return {title: file for title, file in pages.items() if (FOLDER / file).exists()}


def _experiment(lake: Lake, settings: Settings, until: datetime) -> dict[str, Any]:
    """Attribute, decide and write the readout of the A/A test.

    Returns:
        The decision, the number of users by state, and the file of the readout.
    """
    definitions = load_definitions(DEFINITIONS)
    with attributing(lake, settings.attribute, definitions, available_now=True) as run:
        follow(run)
    rows = refresh_results(lake, definitions, until, [SAME_FOR_ALL])
    write_readout(lake, SAME_FOR_ALL, FOLDER / "experiment.html")
    return {**rows[0]["decision"], "users": rows[0]["states"], "readout": "experiment.html"}


def _notebooks(settings: Settings, seconds: dict[str, float]) -> dict[str, str]:
    """Execute notebooks over the demo's lake.

    Returns:
        The page, relative to the demo's folder, by notebook; one that fails is left out.
    """
    pages = {}
    with _time_stage("notebooks", seconds):
        for name in NOTEBOOKS:
            try:
                written = write_notebook_page(notebook(name), FOLDER / "notebooks", settings, {})
                pages[name] = str(written.relative_to(FOLDER))
            except PlayheadError as error:
                log.warning("%s", error.problem)
    return pages


def _refuse_loss(sent: Mapping[str, Any], kept: Conservation, parity: Parity) -> None:
    """Stop if records were lost or counted twice, or if gold differs from its recompute.

    Raises:
        DataError: the counts do not balance, differ from the ground truth, or a difference is
            unexplained.
    """
    if not kept.conserved:
        raise DataError("records were lost or counted twice", f"compare {FOLDER}/summary.json")
    found = (kept.bronze, dict(kept.quarantined), kept.duplicates)
    if found != (sent["records"], sent["quarantined"], sent["duplicates"]):
        raise DataError(
            "what was found is not what was sent",
            f"compare {TRUTH} with {FOLDER}/summary.json",
        )
    if parity.unexplained:
        raise DataError(
            f"{parity.unexplained} gold rows differ from their recompute", "see the lines above"
        )


@contextmanager
def _time_stage(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    """Log a stage, and add its duration in seconds under its name."""
    log.info("-- %s", stage)
    began = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - began


if __name__ == "__main__":
    main()
