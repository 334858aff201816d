"""The HTTP application: who asks is admitted, what is asked is read, and answered in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from jobs.runtime.errors import PlayheadError
from jobs.runtime.service import openapi, parameters
from jobs.runtime.service.admission import RateLimit, Tokens
from jobs.runtime.service.answers import Readiness, Reason
from jobs.runtime.service.metrics import Measured, ServiceMetrics
from jobs.runtime.service.problems import NO_HEADERS, ProblemError
from jobs.runtime.service.queries import ApplicationQueries
from transforms.recommendations.contexts import HOMEPAGE

THREADS = 4
JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
NO_STORE = {"cache-control": "no-store"}
SOON = {"retry-after": "1"}

Endpoint = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How much is answered.

    Attributes:
        rate_per_s: requests of a client in a second.
        concurrency: requests at a time.
        timeout_s: seconds that a request may wait for what it is read from.
    """

    rate_per_s: int
    concurrency: int
    timeout_s: float


def application(
    queries: ApplicationQueries, limits: Limits, tokens: Tokens, version: str
) -> ASGIApp:
    """Make the application.

    Args:
        queries: what it answers.
        limits: how much it answers.
        tokens: whom it answers.
        version: version of playhead.
    """
    metrics = ServiceMetrics()
    service = _Service(queries, limits, tokens, metrics)
    document = openapi.openapi(version, needs_token=bool(tokens))
    endpoints: dict[str, Endpoint] = {
        openapi.RECOMMENDATIONS: service.recommendations,
        openapi.FEATURES: service.features,
        openapi.ASSIGNMENT: service.assignment,
        "/health": _constant(b'{"is_alive":true}', JSON),
        "/ready": service.ready,
        "/metrics": service.metrics,
        "/openapi.json": _constant(msgspec.json.encode(document), JSON),
    }
    routes = [Route(path, endpoint, methods=["GET"]) for path, endpoint in endpoints.items()]
    handlers: Mapping[Any, Any] = {
        ProblemError: _problem_of,
        PlayheadError: _problem_of_failure,
        HTTPException: _problem_of_status,
        Exception: _problem_of_defect,
    }
    paths = {endpoint: path for path, endpoint in endpoints.items()}
    return Measured(Starlette(routes=routes, exception_handlers=handlers), metrics, paths)


class _Service:
    """The endpoints that ask something."""

    def __init__(
        self, queries: ApplicationQueries, limits: Limits, tokens: Tokens, metrics: ServiceMetrics
    ) -> None:
        self._queries = queries
        self._timeout_s = limits.timeout_s
        self._tokens = tokens
        self._rate = RateLimit(limits.rate_per_s)
        self._slots = threading.BoundedSemaphore(limits.concurrency)
        self._threads = ThreadPoolExecutor(min(THREADS, limits.concurrency), "answering")
        self._metrics = metrics

    async def recommendations(self, request: Request) -> Response:
        """Answer with a list."""
        self._admit(request)
        user_id = parameters.path_id(request, "user_id")
        given = parameters.declared(request, parameters.RECOMMENDATIONS)
        max_age_s = _number(given.pop("max_age_s", None))
        context = {**given, "type": given.pop("context", HOMEPAGE)}
        return await self._answer(
            lambda: self._queries.recommendations(user_id, context, max_age_s)
        )

    async def features(self, request: Request) -> Response:
        """Answer with features."""
        self._admit(request)
        user_id = parameters.path_id(request, "user_id")
        given = parameters.declared(request, parameters.FEATURES)
        max_age_s = _number(given.get("max_age_s"))
        return await self._answer(lambda: self._queries.features(user_id, max_age_s))

    async def assignment(self, request: Request) -> Response:
        """Answer with a variant."""
        self._admit(request)
        user_id = parameters.path_id(request, "user_id")
        experiment_id = parameters.path_id(request, "experiment_id")
        context = parameters.attributes(request)
        return await self._answer(lambda: self._queries.assignment(user_id, experiment_id, context))

    async def ready(self, _: Request) -> Response:
        """Answer whether the stores do."""
        try:
            reasons = await self._in_thread(lambda: list(self._queries.missing()))
        except ProblemError as error:
            reasons = [Reason("busy", error.problem.detail)]
        body = msgspec.json.encode(Readiness(not reasons, reasons))
        return Response(body, 503 if reasons else 200, NO_STORE, JSON)

    async def metrics(self, _: Request) -> Response:
        """Answer with the counters."""
        return Response(self._metrics.text(), media_type=PROMETHEUS)

    def _admit(self, request: Request) -> None:
        """Let a request in.

        Raises:
            ProblemError: it has no valid token, or its client makes too many.
        """
        client = self._tokens.client_of(request.headers.get("authorization", ""))
        if client is None:
            headers = {"www-authenticate": "Bearer"}
            raise ProblemError("unauthorized", "send Authorization: Bearer and a token", headers)
        if not self._rate.admits(client):
            raise ProblemError("too_many_requests", "ask again in a second", SOON)

    async def _answer(self, query: Callable[[], Any]) -> Response:
        answer = await self._in_thread(query)
        self._metrics.answers.labels(answer.source).inc()
        return Response(msgspec.json.encode(answer), 200, NO_STORE, JSON)

    async def _in_thread(self, query: Callable[[], T]) -> T:
        """Run a query that waits for a store; one that is given up holds its place until it ends.

        Raises:
            ProblemError: all places are taken, or it took too long.
        """
        if not self._slots.acquire(blocking=False):
            raise ProblemError("overloaded", "ask again in a second", SOON)
        future = self._threads.submit(query)
        future.add_done_callback(lambda _: self._slots.release())
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise ProblemError("timed_out", f"no answer in {self._timeout_s:g} s", SOON) from None


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _constant(body: bytes, media_type: str) -> Endpoint:
    async def answer(_: Request) -> Response:
        return Response(body, media_type=media_type)

    return answer


async def _problem_of(_: Request, error: ProblemError) -> Response:
    body = msgspec.json.encode(error.problem)
    return Response(body, error.status, {**error.headers, **NO_STORE}, PROBLEM_JSON)


async def _problem_of_failure(request: Request, error: PlayheadError) -> Response:
    """The answer while something that answers are read from does not serve."""
    return await _problem_of(request, ProblemError("unavailable", error.problem, SOON))


async def _problem_of_status(request: Request, error: HTTPException) -> Response:
    """The answer to a path or a method that there is not."""
    code = "method_not_allowed" if error.status_code == 405 else "not_found"
    headers = error.headers or NO_HEADERS
    detail = "see /openapi.json"
    return await _problem_of(request, ProblemError(code, detail, headers))


async def _problem_of_defect(request: Request, _: Exception) -> Response:
    """The answer to what nobody has thought of; the server logs its trace."""
    return await _problem_of(request, ProblemError("internal_error", "see the service's log"))
