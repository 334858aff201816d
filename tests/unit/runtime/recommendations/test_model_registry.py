"""Versions of a model in a real MLflow on SQLite, without Spark: recorded, aliased, refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from jobs.promote import main as promote_main
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import DataError, ServiceError, SettingsError
from jobs.runtime.recommendations.artifact import TrainedModel, digest, load
from jobs.runtime.recommendations.challenger import TrainingResult, record
from jobs.runtime.recommendations.model_registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    ModelRegistry,
    open_model_registry,
)
from jobs.runtime.recommendations.promotion import promotion_event, refuse
from jobs.runtime.recommendations.training import declaration
from jobs.runtime.settings import load_settings
from tests.support.factor_models import MODEL as FACTORS
from tests.support.models import MODEL
from transforms.contracts.validation import violations
from transforms.recommendations.evaluation import ACCURACY, TITLE_BANDS
from transforms.recommendations.model import Recommender
from transforms.recommendations.trial import Trial

pytestmark = pytest.mark.slow

SETTINGS = load_settings(environment={}).recommend
ORIGIN = {"code": "0.1+abc", "generation": 1, "data": '{"gold.user_title": 3}', "champion": ""}


def trained_model(model: Recommender = MODEL) -> TrainedModel:
    declared = {**declaration(SETTINGS), "as_of_s": 1_790_000_000, "weighting": {"half_star": 1}}
    return TrainedModel(model, np.arange(len(model.titles)) << 20, declared)


def trial_of(challenger: float, popularity: float) -> Trial:
    rows = [
        {
            "user_id": f"u{n}",
            "contender": contender,
            "segment": "new" if n % 2 else "heavy",
            **dict.fromkeys((*ACCURACY, "novelty"), value),
            "diversity": None if n == 0 else 0.5,
            **{f"{count}_{band}": 1 for band in TITLE_BANDS for count in ("hits", "relevant")},
        }
        for contender, value in (("challenger", challenger), ("popularity", popularity))
        for n in range(4)
    ]
    coverage = {"challenger": 0.5, "popularity": 0.1}
    return Trial(pd.DataFrame(rows), coverage, 1_789_000_000)


def record_training(registry: ModelRegistry, *values: float, **origin: Any) -> TrainingResult:
    with registry.run():
        return record(
            trained_model(), trial_of(*values), SETTINGS, {**ORIGIN, **origin}, {"train": 1.0}
        )


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    """Version 1, good, is the champion; version 2 is no better than popularity."""
    registry = open_model_registry(SETTINGS, str(tmp_path_factory.mktemp("lake")))
    assert registry.version_of(CHAMPION) is None
    assert record_training(registry, 0.4, 0.3).version == "1"
    assert registry.version_of(CHAMPION) is None
    registry.point({CHAMPION: "1", CHALLENGER: "1"})
    assert record_training(registry, 0.2, 0.3, champion="1").version == "2"
    registry.point({CHALLENGER: "2"})
    return registry


def test_a_run_tells_what_it_was_made_from_and_how_good_it_is(registry: ModelRegistry) -> None:
    client = mlflow.MlflowClient(tracking_uri=registry.uri)
    version = client.get_model_version(registry.name, "1")
    run = client.get_run(version.run_id)
    assert run.data.params["l2"] == "2.0"
    assert run.data.metrics["ndcg.heavy_users"] == pytest.approx(0.4)
    assert run.data.metrics["popularity.recall.head_titles"] == 1
    assert run.data.metrics["coverage"] == 0.5
    assert json.loads(run.data.tags["data"]) == {"gold.user_title": 3}
    files = {file.path for file in client.list_artifacts(version.run_id)}
    assert {"model_card.md", "plots.html", "evaluation.json"} <= files
    card = mlflow.artifacts.load_text(f"runs:/{version.run_id}/model_card.md")
    assert "What it does not show" in card
    assert run.data.tags["sha256"] in card


def test_the_registered_model_serves_itself(registry: ModelRegistry) -> None:
    mlflow.set_tracking_uri(registry.uri)
    served = mlflow.pyfunc.load_model(f"models:/{registry.name}@{CHAMPION}")
    assert served.metadata.signature is not None
    asked = pd.DataFrame({"titles": [["t00", "t02"], []], "weights": [[4096, 4096], []]})
    lists = served.predict(asked, params={"k": 3})
    assert all(int(title[1:]) % 2 == 0 for title in lists["titles"][0])
    assert lists["titles"][1] == ["t39", "t38", "t37"]
    assert served.metadata.saved_input_example_info is not None


@pytest.mark.parametrize("model", [MODEL, FACTORS], ids=["item-item", "factors"])
def test_a_model_comes_back_as_it_was(model: Recommender, tmp_path: Path) -> None:
    sha256 = trained_model(model).save(tmp_path / "once")
    back = load(tmp_path / "once")
    assert back.declaration == trained_model(model).declaration
    assert back.save(tmp_path / "again") == sha256 == digest(tmp_path / "once")


def test_an_alias_that_was_never_set_points_nowhere(registry: ModelRegistry) -> None:
    assert registry.version_of(PREVIOUS) is None


def test_aliases_move_together_and_back(registry: ModelRegistry) -> None:
    before = {alias: registry.version_of(alias) for alias in (CHAMPION, PREVIOUS)}
    registry.point({CHAMPION: "2", PREVIOUS: "1"})
    assert (registry.version_of(CHAMPION), registry.version_of(PREVIOUS)) == ("2", "1")
    registry.point(before)
    assert (registry.version_of(CHAMPION), registry.version_of(PREVIOUS)) == ("1", None)


def test_the_gate_refuses_what_is_not_better_than_popularity(registry: ModelRegistry) -> None:
    with pytest.raises(DataError, match="version 2 is refused: not better than popularity"):
        refuse(registry, "2")


def test_the_gate_refuses_what_was_judged_against_another_champion(registry: ModelRegistry) -> None:
    stale = record_training(registry, 0.5, 0.3, champion="").version
    with pytest.raises(DataError, match=r"judged against champion \(none\), today's is 1"):
        refuse(registry, stale)


def test_the_champion_may_be_promoted_again(registry: ModelRegistry) -> None:
    refuse(registry, "1")


def test_two_promotions_side_by_side_make_one_champion_and_one_event(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is started while the first is publishing, and again when that has ended."""
    before = {alias: registry.version_of(alias) for alias in (CHAMPION, PREVIOUS)}
    first, second = (record_training(registry, 0.5, 0.3, champion="1").version for _ in range(2))
    lake = ["--set", f"lake.root={registry.folder.parent}"]
    told, published = [], []

    def publish(_: object, event: dict[str, Any]) -> None:
        told.append(CliRunner().invoke(promote_main, [second, *lake]))
        published.append(event["modelVersion"])

    monkeypatch.setattr("jobs.runtime.recommendations.promotion.publish", publish)
    for part in ("open_lake", "refuse_failing"):  # its Spark and the tables' quality
        monkeypatch.setattr(f"jobs.promote.{part}", lambda *_: None)
    promote_main.main([first, *lake], standalone_mode=False)
    [beside] = told
    assert beside.exit_code == 4
    assert "promote: another process is using " in beside.output
    assert "/checkpoints/promote: the same job, or an erasure -> wait" in beside.output
    after = CliRunner().invoke(promote_main, [second, *lake])
    assert after.exit_code == 4
    assert f"was judged against champion 1, today's is {first}" in after.output
    assert published == [first]
    assert (registry.version_of(CHAMPION), registry.version_of(PREVIOUS)) == (first, "1")
    registry.point(before)


def test_a_promotion_is_an_event_that_keeps_its_contract(registry: ModelRegistry) -> None:
    tags = {**registry.tags("1"), "promoted_at": "2026-11-01T00:00:00.000000Z"}
    event = promotion_event(registry.name, "1", tags)
    contract = load_registry().newest(event["eventType"])
    assert violations(contract, event, declared_only=True) == []
    assert event["metrics"]["ndcg"] == pytest.approx(0.4)
    assert promotion_event(registry.name, "1", tags)["eventId"] == event["eventId"]
    later = {**tags, "promoted_at": "2026-11-02T00:00:00.000000Z"}
    assert promotion_event(registry.name, "1", later)["eventId"] != event["eventId"]


@pytest.mark.parametrize("version", ["77", "nonsense"])
def test_a_version_that_is_gone_is_a_clear_error(registry: ModelRegistry, version: str) -> None:
    with pytest.raises(SettingsError, match=rf"has no version {version}.*jobs.promote --list"):
        registry.load(version)


def test_files_that_are_damaged_or_gone_are_a_clear_error(registry: ModelRegistry) -> None:
    assert registry.load("1").model.titles.size == 40
    [folder] = {
        file.parent
        for file in registry.folder.glob("artifacts/**/model/weights.npy")
        if digest(file.parent) == registry.tags("1")["sha256"] and version_in(registry, file) == "1"
    }
    weights = folder / "weights.npy"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    with pytest.raises(DataError, match=r"cannot be read.*jobs.promote --back"):
        registry.load("1")
    weights.write_bytes(whole)
    shutil.move(folder, f"{folder}.aside")
    with pytest.raises(DataError, match=r"gone|cannot be read"):
        registry.load("1")
    shutil.move(f"{folder}.aside", folder)


def version_in(registry: ModelRegistry, file: Path) -> str:
    """The version whose files these are."""
    client = mlflow.MlflowClient(tracking_uri=registry.uri)
    found = [
        each.version
        for each in client.search_model_versions(f"name='{registry.name}'")
        if str(each.source).rpartition("/")[2] in str(file)
    ]
    return str(found[0]) if found else ""


def test_a_server_that_is_away_is_a_clear_error(tmp_path: Path) -> None:
    away = ModelRegistry(SETTINGS.model, "http://127.0.0.1:1", str(tmp_path))
    with pytest.raises(ServiceError, match=r"MLflow at http://127.0.0.1:1 does not serve"):
        away.version_of(CHAMPION)


def test_a_damaged_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(b"this is no database" * 500)
    with pytest.raises(ServiceError, match="does not serve"):
        open_model_registry(SETTINGS, str(tmp_path)).version_of(CHAMPION)


def test_a_lake_in_an_object_store_needs_a_server() -> None:
    with pytest.raises(SettingsError, match=r"recommend.mlflow_uri"):
        open_model_registry(SETTINGS, "s3a://bucket/lake")
    ModelRegistry(SETTINGS.model, "http://mlflow:5000", "s3a://bucket/lake")


def test_without_a_model_there_is_nothing_to_promote(tmp_path: Path) -> None:
    told = CliRunner().invoke(promote_main, ["--set", f"lake.root={tmp_path}"])
    assert told.exit_code == 2
    assert "has no version yet -> python -m jobs.train" in told.output
    back = CliRunner().invoke(promote_main, ["--back", "--set", f"lake.root={tmp_path}"])
    assert "had no champion before this one" in back.output
