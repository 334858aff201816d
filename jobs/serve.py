"""Serve: recommendations, features and variants to applications, over HTTP, without Spark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.runtime.cli import job
from jobs.runtime.experiments.assignments import Assigner, open_assigner
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.service.opening import open_application, open_tokens
from jobs.runtime.service.server import serve
from jobs.runtime.settings import Settings
from transforms.experiments.definitions import Catalogue


@job
def main(settings: Settings) -> None:
    """Answer applications over HTTP until Ctrl-C, from the online store; no Spark starts.

    GET /v1/users/ada/recommendations?context=homepage&device=smart_tv

    GET /v1/users/ada/features

    GET /v1/users/ada/assignments/home-row-order?device_type=smart_tv

    /openapi.json describes it (OpenAPI 3.1); /health says that it runs, /ready whether it can
    answer, and if not why; /metrics is for Prometheus. Every answer says what it was read from and
    how old that is; what cannot be answered is a problem (application/problem+json).

    python -m jobs.publish fills the online store. Where it listens and how much it answers are
    settings: `serve` in conf/pipeline.yaml. Without bearer tokens only this machine may ask; tokens
    come from the environment: PLAYHEAD_SERVE_TOKENS, with commas between them.
    """
    tokens = open_tokens(settings.serve)
    definitions = load_definitions()
    with _assigner(settings, definitions) as assigner:
        app = open_application(settings, definitions, assigner, tokens)
        serve(app, settings.serve, has_tokens=bool(tokens))


@contextmanager
def _assigner(settings: Settings, definitions: Catalogue) -> Iterator[Assigner | None]:
    """Open what publishes assignments, if the settings want them published."""
    if not settings.serve.publish_assignments:
        yield None
        return
    with kafka_of(settings) as kafka, open_assigner(kafka, definitions) as assigner:
        yield assigner


if __name__ == "__main__":
    main()
