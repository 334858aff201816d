"""Train: gold to a registered model, judged on a cut in time."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema

from jobs.runtime.conf_files import CODE_DIR
from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS
from jobs.runtime.recommendations import als, neighbour_counts
from jobs.runtime.recommendations.artifact import TrainedModel
from jobs.runtime.recommendations.mlflow_model import TitleAffinity
from jobs.runtime.recommendations.model_card import card, plots
from jobs.runtime.recommendations.model_registry import (
    ARTIFACT,
    CHALLENGER,
    CHAMPION,
    ModelRegistry,
    open_model_registry,
)
from jobs.runtime.recommendations.training import (
    declaration,
    past_at_cut,
    read_catalogue,
    read_past,
    run_trial,
    train_past,
    train_present,
)
from jobs.runtime.settings import RecommendSettings
from transforms import provenance
from transforms.instants import rfc3339
from transforms.recommendations import (
    catalogue,
    evaluation,
    factors,
    gate,
    gram_blocks,
    histories,
    model,
    neighbours,
    popularity,
    solvers,
    temporal_split,
    views,
)
from transforms.recommendations import declaration as declarations
from transforms.recommendations import trial as trials
from transforms.recommendations.declaration import DECLARED
from transforms.recommendations.evaluation import ACCURACY
from transforms.recommendations.gate import Verdict, judge
from transforms.recommendations.solvers import UnsolvableError
from transforms.recommendations.temporal_split import Past
from transforms.recommendations.trial import Trial, metrics_of

log = logging.getLogger(__name__)


SOURCES = ("gold.user_title", PARTIALS, "silver.playback", "silver.ratings", "silver.catalog")


MODEL_CODE = (  # what they import of transforms is part of it too
    *(declarations, catalogue, views, histories, gram_blocks, solvers, popularity),
    *(model, neighbours, neighbour_counts, factors, als),
    *(temporal_split, evaluation, trials, gate),
)


SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec(Array(DataType.string), "titles"),
            ColSpec(Array(DataType.long), "weights"),
            ColSpec(Array(DataType.long), "sitting", required=False),
        ]
    ),
    outputs=Schema(
        [ColSpec(Array(DataType.string), "titles"), ColSpec(Array(DataType.double), "scores")]
    ),
    params=ParamSchema([ParamSpec("k", DataType.long, 10)]),
)


@dataclass(frozen=True)
class TrainingResult:
    """What a call of `train` did.

    Attributes:
        version: registered version of the model.
        sha256: digest of the model's files, hexadecimal.
        metrics: values by name, as registered.
        verdict: verdict of the gate.
        seconds: duration of each stage, in seconds.
    """

    version: str
    sha256: str
    metrics: Mapping[str, float]
    verdict: Verdict
    seconds: Mapping[str, float]


def train(
    lake: Lake,
    settings: RecommendSettings,
    *,
    scratch: bool = False,
    tags: Mapping[str, str] | None = None,
) -> TrainingResult:
    """Train, judge, log and register; the version is then the challenger.

    Args:
        lake: lake whose gold is learned from.
        settings: section `recommend`.
        scratch: whether all histories are counted anew.
        tags: further tags of the version.

    Raises:
        DataError: gold is empty, or nothing can be learned from it.
        ServiceError: MLflow cannot be reached.
    """
    registry = open_model_registry(settings, lake.root)
    champion = registry.version_of(CHAMPION)
    facts = {**origin(lake, settings), "champion": champion or "", **(tags or {})}
    present = read_past(lake)
    seconds: dict[str, float] = {}
    try:
        began = monotonic()
        challenger = train_present(lake, present, declaration(settings), scratch=scratch)
        seconds["train"] = monotonic() - began
        trial = _run_trial(lake, present, settings, registry, champion)
        seconds["judge"] = monotonic() - began - seconds["train"]
    except UnsolvableError as error:
        raise DataError(
            f"nothing can be learned: {error}", "let more events through, or change recommend.l2"
        ) from None
    finally:
        present.user_title.unpersist()
    with registry.run() as run_id:
        result = record(challenger, trial, settings, facts, seconds)
    registry.point({CHALLENGER: result.version})
    log.info("MLflow run %s at %s", run_id, registry.uri)
    return result


def current_challenger(lake: Lake, settings: RecommendSettings) -> str | None:
    """Find the challenger that training now would only make again, promoted or not.

    Returns:
        Its version; None if the tables, the settings, the code or the champion have changed.
    """
    registry = open_model_registry(settings, lake.root)
    challenger, champion = registry.version_of(CHALLENGER), registry.version_of(CHAMPION)
    if challenger is None:
        return None
    tags = registry.tags(challenger)
    same = all(tags.get(key) == str(value) for key, value in origin(lake, settings).items())
    declared = json.loads(tags["declaration"]) == declaration(settings)
    judged = challenger == champion or tags.get("champion") == (champion or "")
    return challenger if same and declared and judged else None


def origin(lake: Lake, settings: RecommendSettings) -> dict[str, Any]:
    """What a training is made from besides the declaration, for tags."""
    versions = {table: lake.version(table) for table in SOURCES if lake.has(table)}
    return {
        "code": code_version(),
        "generation": lake.generation,
        "data": json.dumps(versions),
        "evaluation_share": settings.evaluation_share,
    }


def _run_trial(
    lake: Lake,
    present: Past,
    settings: RecommendSettings,
    registry: ModelRegistry,
    champion: str | None,
) -> Trial:
    past = past_at_cut(present, settings.evaluation_share)
    try:
        contenders = {CHALLENGER: train_past(past, declaration(settings))}
        if champion is not None:
            declared = json.loads(registry.tags(champion)["declaration"])
            same = declared == declaration(settings)
            contenders[CHAMPION] = contenders[CHALLENGER] if same else train_past(past, declared)
        return run_trial(present, past, contenders, read_catalogue(lake))
    finally:
        past.user_title.unpersist()


def record(
    challenger: TrainedModel,
    trial: Trial,
    settings: RecommendSettings,
    made_from: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> TrainingResult:
    """Log a training to the active run and register its model.

    Args:
        challenger: model to register.
        trial: trial of its settings and its rivals'.
        settings: section `recommend` that it was trained by.
        made_from: `origin` and the champion, for tags.
        seconds: duration of each stage, in seconds.
    """
    verdict = judge(trial.by_user)
    metrics = metrics_of(trial)
    for rival, difference in verdict.differences.items():
        metrics |= {f"ndcg_over_{rival}.{k}": float(v) for k, v in asdict(difference).items()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / ARTIFACT
        sha256 = challenger.save(folder)
        facts = {
            **made_from,
            "sha256": sha256,
            "trained_at": rfc3339(datetime.now(UTC), "seconds"),
            "declaration": json.dumps(declaration(settings)),
            "passed": verdict.passed,
            "refusals": "; ".join(verdict.refusals),
            **{f"metric.{name}": metrics[name] for name in ACCURACY if name in metrics},
        }
        mlflow.log_params({name: getattr(settings, name) for name in DECLARED})
        mlflow.log_metrics({**metrics, **{f"seconds.{k}": v for k, v in seconds.items()}})
        mlflow.set_tags(facts)
        mlflow.log_text(card(settings.model, challenger, trial, verdict, metrics, facts),
                        "model_card.md")  # fmt: skip
        mlflow.log_text(plots(trial), "plots.html")
        mlflow.log_dict({k: round(v, 6) for k, v in metrics.items()}, "evaluation.json")
        registered = _register(settings.model, folder, challenger)
    client = mlflow.MlflowClient()
    for key, value in facts.items():
        client.set_model_version_tag(settings.model, registered, key, str(value))
    return TrainingResult(registered, sha256, metrics, verdict, seconds)


def _register(name: str, folder: Path, challenger: TrainedModel) -> str:
    titles = challenger.model.titles[:2].tolist()
    example = pd.DataFrame(
        {"titles": [titles, titles[:1]], "weights": [[4096] * len(titles), [2048]]}
    )
    info = mlflow.pyfunc.log_model(
        name=name,
        python_model=TitleAffinity(),
        artifacts={ARTIFACT: str(folder)},
        code_paths=[str(CODE_DIR / "jobs"), str(CODE_DIR / "transforms")],
        signature=SIGNATURE,
        input_example=example,
        pip_requirements=[f"{each}=={version(each)}" for each in ("numpy", "pandas", "scipy")],
        registered_model_name=name,
    )
    return str(info.registered_model_version)


def code_version() -> str:
    """The package's version, a plus, and the digest of the code that decides about a model."""
    try:
        package = version("playhead")
    except PackageNotFoundError:
        package = "unknown"
    return f"{package}+{provenance.code(*MODEL_CODE)}"
