"""What the service counts of itself, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
ELSEWHERE = "other"


class ServiceMetrics:
    """Counters in a registry of their own; no label holds what a client sent."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "playhead_http_requests_total",
            "Requests answered, by route and status.",
            ["route", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "playhead_http_request_seconds",
            "From a request's headers to the end of its answer.",
            ["route"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "playhead_http_requests_in_flight",
            "Requests that are being answered.",
            registry=self._registry,
        )
        self.answers = Counter(
            "playhead_answers_total",
            "Answers by what they were read from.",
            ["source"],
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self._registry)


class Measured:
    """An application whose requests are counted and timed.

    Args:
        app: application to measure.
        metrics: where to count.
        routes: path template by endpoint.
    """

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics, routes: Mapping[Any, str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as every ASGI application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            with self._metrics.in_flight.track_inprogress():
                await self._app(scope, receive, sending)
        finally:
            route = self._routes.get(scope.get("endpoint", self), ELSEWHERE)
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
