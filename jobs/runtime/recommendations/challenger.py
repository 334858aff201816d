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

from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS
from jobs.runtime.recommendations.artifact import Trained
from jobs.runtime.recommendations.mlflow_model import TitleAffinity
from jobs.runtime.recommendations.model_card import card, plots
from jobs.runtime.recommendations.model_registry import ARTIFACT, CHALLENGER, CHAMPION, Registry
from jobs.runtime.recommendations.training import (
    DECLARED,
    Past,
    Trial,
    at_cut,
    catalogue_of,
    declaration,
    now,
    trained,
    trained_at,
    trial,
)
from jobs.runtime.settings import HOME, RecommendSettings
from transforms import provenance
from transforms.instants import rfc3339
from transforms.recommendations import (
    candidates,
    evaluation,
    factors,
    gate,
    gram_blocks,
    histories,
    model,
    popularity,
    solvers,
)
from transforms.recommendations.evaluation import ACCURACY, TITLE_BANDS
from transforms.recommendations.gate import Verdict, judge
from transforms.recommendations.solvers import UnsolvableError

log = logging.getLogger(__name__)


SOURCES = ("gold.user_title", PARTIALS, "silver.playback", "silver.ratings", "silver.catalog")


MODEL_CODE = (
    candidates,
    evaluation,
    factors,
    gate,
    histories,
    model,
    popularity,
    solvers,
    gram_blocks,
)


SIGNATURE = ModelSignature(
    inputs=Schema(
        [ColSpec(Array(DataType.string), "titles"), ColSpec(Array(DataType.long), "weights")]
    ),
    outputs=Schema(
        [ColSpec(Array(DataType.string), "titles"), ColSpec(Array(DataType.double), "scores")]
    ),
    params=ParamSchema([ParamSpec("k", DataType.long, 10)]),
)


@dataclass(frozen=True)
class Result:
    """What a training came to.

    Attributes:
        version: the registered version.
        sha256: of the model's files.
        metrics: by name, as registered.
        verdict: of the gate.
        seconds: by stage.
    """

    version: str
    sha256: str
    metrics: Mapping[str, float]
    verdict: Verdict
    seconds: Mapping[str, float]


def train(lake: Lake, settings: RecommendSettings, *, scratch: bool = False) -> Result:
    """Train, judge, log and register; the version is then the challenger.

    Raises:
        DataError: gold is empty, or nothing can be learned from it.
        ServiceError: MLflow cannot be reached.
    """
    registry = Registry(settings.model, settings.mlflow_uri, lake.root)
    champion = registry.version_of(CHAMPION)
    facts = {**origin(lake, settings), "champion": champion or ""}
    known = now(lake)
    seconds: dict[str, float] = {}
    try:
        began = monotonic()
        challenger = trained(lake, known, declaration(settings), scratch=scratch)
        seconds["train"] = monotonic() - began
        judged = _judged(lake, known, settings, registry, champion)
        seconds["judge"] = monotonic() - began - seconds["train"]
    except UnsolvableError as error:
        raise DataError(
            f"nothing can be learned: {error}", "let more events through, or change recommend.l2"
        ) from None
    finally:
        known.user_title.unpersist()
    with registry.run() as run_id:
        result = record(challenger, judged, settings, facts, seconds)
    registry.point({CHALLENGER: result.version})
    log.info("MLflow run %s at %s", run_id, registry.uri)
    return result


def already_trained(lake: Lake, settings: RecommendSettings) -> str | None:
    """The challenger, if training now would give it again; also once it has been promoted."""
    registry = Registry(settings.model, settings.mlflow_uri, lake.root)
    challenger, champion = registry.version_of(CHALLENGER), registry.version_of(CHAMPION)
    if challenger is None:
        return None
    tags = registry.tags(challenger)
    same = all(tags.get(key) == str(value) for key, value in origin(lake, settings).items())
    declared = json.loads(tags["declaration"]) == declaration(settings)
    judged = challenger == champion or tags.get("champion") == (champion or "")
    return challenger if same and declared and judged else None


def origin(lake: Lake, settings: RecommendSettings) -> dict[str, Any]:
    """What a training is made from, beside the declaration; for tags."""
    versions = {table: lake.version(table) for table in SOURCES if lake.has(table)}
    return {
        "code": code_version(),
        "generation": lake.generation,
        "data": json.dumps(versions),
        "evaluation_share": settings.evaluation_share,
    }


def _judged(
    lake: Lake, known: Past, settings: RecommendSettings, registry: Registry, champion: str | None
) -> Trial:
    past = at_cut(known, settings.evaluation_share)
    try:
        contenders = {"challenger": trained_at(past, declaration(settings))}
        if champion is not None:
            declared = json.loads(registry.tags(champion)["declaration"])
            same = declared == declaration(settings)
            contenders["champion"] = (
                contenders["challenger"] if same else trained_at(past, declared)
            )
        return trial(known, past, contenders, catalogue_of(lake))
    finally:
        past.user_title.unpersist()


def summary(judged: Trial) -> dict[str, float]:
    """Metrics by contender, segment of users and band of titles, as MLflow names them."""
    found: dict[str, float] = {}
    for contender, rows in judged.by_user.groupby("contender"):
        prefix = "" if contender == "challenger" else f"{contender}."
        for metric in (*ACCURACY, "novelty", "diversity"):
            found[f"{prefix}{metric}"] = float(rows[metric].mean())
        found[f"{prefix}coverage"] = judged.coverage.get(str(contender), 0.0)
        for segment, of_segment in rows.groupby("segment"):
            found[f"{prefix}ndcg.{segment}_users"] = float(of_segment["ndcg"].mean())
            found[f"{prefix}users.{segment}"] = float(len(of_segment))
        for band in TITLE_BANDS:
            relevant = rows[f"relevant_{band}"].sum()
            if relevant:
                share = rows[f"hits_{band}"].sum() / relevant
                found[f"{prefix}recall.{band}_titles"] = float(share)
    return {name: value for name, value in found.items() if pd.notna(value)}


def record(
    challenger: Trained,
    judged: Trial,
    settings: RecommendSettings,
    made_from: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> Result:
    """Log a training to the active run and register its model.

    Args:
        challenger: the model.
        judged: its trial, and that of its rivals.
        settings: that it was trained by.
        made_from: `origin`, and the champion, for tags.
        seconds: by stage.
    """
    verdict = judge(judged.by_user)
    metrics = summary(judged)
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
        mlflow.log_text(card(settings.model, challenger, judged, verdict, metrics, facts),
                        "model_card.md")  # fmt: skip
        mlflow.log_text(plots(challenger, judged), "plots.html")
        mlflow.log_dict({k: round(v, 6) for k, v in metrics.items()}, "evaluation.json")
        registered = _register(settings.model, folder, challenger)
    client = mlflow.MlflowClient()
    for key, value in facts.items():
        client.set_model_version_tag(settings.model, registered, key, str(value))
    return Result(registered, sha256, metrics, verdict, seconds)


def _register(name: str, folder: Path, challenger: Trained) -> str:
    known = challenger.model.titles[:2].tolist()
    example = pd.DataFrame({"titles": [known, known[:1]], "weights": [[4096] * len(known), [2048]]})
    info = mlflow.pyfunc.log_model(
        name=name,
        python_model=TitleAffinity(),
        artifacts={ARTIFACT: str(folder)},
        code_paths=[str(HOME / "jobs"), str(HOME / "transforms")],
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
