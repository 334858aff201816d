"""The model registry: MLflow, in SQLite and files below the lake unless a server is named.

Three aliases point at versions of a model: `challenger`, the last one trained; `champion`, the one
in service; `previous`, the champion before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from jobs.runtime.errors import DataError, PlayheadError, ServiceError, SettingsError, first_line
from jobs.runtime.recommendations.artifact import TrainedModel, load
from jobs.runtime.settings import RecommendSettings

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
ARTIFACT = "model"
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
# a server that is away is reported in seconds, not after MLflow's own seven retries
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class ModelRegistry:
    """The versions of one model.

    Args:
        name: registered name of the model.
        uri: address of the MLflow server; None: SQLite below the lake.
        root: where the lake is: a folder or a URI.

    Raises:
        SettingsError: the lake is in an object store and no server is named.
    """

    def __init__(self, name: str, uri: str | None, root: str) -> None:
        if uri is None and "://" in root:
            raise SettingsError(
                f"SQLite cannot live at {root}", "set recommend.mlflow_uri to an MLflow server"
            )
        self.name = name
        self.folder = Path(root).absolute() / "mlflow"
        self.uri = uri or f"sqlite:///{self.folder}/mlflow.db"
        self._own = uri is None
        for key, value in PATIENCE.items():
            os.environ.setdefault(key, value)
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

    @contextmanager
    def run(self, tags: Mapping[str, str] | None = None) -> Iterator[str]:
        """Start a run of this model's experiment, active for the block, which gets its id.

        Args:
            tags: tags of the run; if there are some and a run has them, it is resumed.
        """
        with self._explain_errors():
            mlflow.set_tracking_uri(self.uri)
            mlflow.set_registry_uri(self.uri)
            if self._own:
                self.folder.mkdir(parents=True, exist_ok=True)
            experiment = mlflow.get_experiment_by_name(self.name)
            place = (self.folder / "artifacts").as_uri() if self._own else None
            experiment_id = (
                experiment.experiment_id
                if experiment is not None
                else mlflow.create_experiment(self.name, artifact_location=place)
            )
            resumed = self._find_run(experiment_id, tags) if tags else None
            with mlflow.start_run(
                run_id=resumed,
                experiment_id=None if resumed else experiment_id,
                tags=dict(tags) if tags else None,
            ) as active:
                yield str(active.info.run_id)

    def nested_runs(self, run_id: str) -> Iterator[tuple[Mapping[str, str], Mapping[str, float]]]:
        """Read the tags and metrics of the runs nested in one, oldest first."""
        client = self._client()
        with self._explain_errors():
            experiment_id = client.get_run(run_id).info.experiment_id
            token = None
            while True:
                runs = client.search_runs(
                    [experiment_id],
                    f"tags.mlflow.parentRunId = '{run_id}'",
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
                yield from ((run.data.tags, run.data.metrics) for run in runs)
                token = runs.token
                if not token:
                    return

    def version_of(self, alias: str) -> str | None:
        """Read the version that an alias points at; None if it points nowhere."""
        with self._explain_errors():
            if self._own and not (self.folder / "mlflow.db").exists():
                return None
            try:
                return str(self._client().get_model_version_by_alias(self.name, alias).version)
            except MlflowException as error:
                if error.error_code in UNKNOWN:
                    return None
                raise

    def point(self, aliases: Mapping[str, str | None]) -> None:
        """Point each alias at its version; None deletes the alias."""
        with self._explain_errors():
            for alias, version in aliases.items():
                if version is None:
                    self._client().delete_registered_model_alias(self.name, alias)
                else:
                    self._client().set_registered_model_alias(self.name, alias, version)

    def tags(self, version: str) -> Mapping[str, str]:
        """Read the tags of a version.

        Raises:
            SettingsError: there is no such version.
        """
        with self._explain_errors(version):
            return dict(self._client().get_model_version(self.name, version).tags)

    def tag(self, version: str, tags: Mapping[str, Any]) -> None:
        """Give a version tags."""
        with self._explain_errors(version):
            for key, value in tags.items():
                self._client().set_model_version_tag(self.name, version, key, str(value))

    def document(self, version: str, name: str) -> str:
        """Read a text file that the training of a version left, such as model_card.md."""
        with self._explain_errors(version):
            run = self._client().get_model_version(self.name, version).run_id
            return str(mlflow.artifacts.load_text(f"runs:/{run}/{name}"))

    def load(self, version: str) -> TrainedModel:
        """Read the model of a version.

        Raises:
            SettingsError: there is no such version.
            DataError: its files are gone or damaged.
        """
        self.tags(version)
        with self._explain_errors(version):
            try:
                folder = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{self.name}/{version}", tracking_uri=self.uri
                )
            except (MlflowException, OSError) as error:
                raise DataError(
                    f"the files of {self.name} version {version} are gone: {first_line(error)}",
                    "train anew with python -m jobs.train, or go back: "
                    "python -m jobs.promote --back",
                ) from None
        return load(Path(folder) / "artifacts" / ARTIFACT)

    def _find_run(self, experiment_id: str, tags: Mapping[str, str]) -> str | None:
        """The newest run that has these tags."""
        asked = " AND ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
        runs = self._client().search_runs([experiment_id], asked, max_results=1)
        return str(runs[0].info.run_id) if runs else None

    def _client(self) -> MlflowClient:
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @contextmanager
    def _explain_errors(self, version: str | None = None) -> Iterator[None]:
        try:
            yield
        except PlayheadError:
            raise
        except MlflowException as error:
            if version is not None and error.error_code in UNKNOWN:
                raise SettingsError(
                    f"{self.name} has no version {version}",
                    "python -m jobs.promote --list shows those there are",
                ) from None
            raise self._outage(error) from None
        except (RequestException, SQLAlchemyError) as error:
            raise self._outage(error) from None

    def _outage(self, error: Exception) -> ServiceError:
        return ServiceError(
            f"MLflow at {self.uri} does not serve: {first_line(error)}",
            "start the server that recommend.mlflow_uri names, or set it to null for SQLite",
        )


def open_model_registry(settings: RecommendSettings, root: str) -> ModelRegistry:
    """Open the registry of the model that the settings name.

    Args:
        settings: section `recommend`.
        root: where the lake is: a folder or a URI.

    Raises:
        SettingsError: the lake is in an object store and no MLflow server is named.
    """
    return ModelRegistry(settings.model, settings.mlflow_uri, root)
