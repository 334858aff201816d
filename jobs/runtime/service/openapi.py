"""The OpenAPI 3.1 document of the service, made of the types of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from jobs.runtime.service import parameters
from jobs.runtime.service.answers import Assignment, Features, Readiness, Recommendations
from jobs.runtime.service.problems import PROBLEMS, Problem
from transforms.ids import ID

V1 = "/v1/users/{user_id}"
RECOMMENDATIONS = f"{V1}/recommendations"
FEATURES = f"{V1}/features"
ASSIGNMENT = f"{V1}/assignments/{{experiment_id}}"

DESCRIPTIONS = {
    "context": "Context of the list, such as homepage or continue_watching. Default: homepage.",
    "device": "Device type, such as smart_tv; chooses among the homepages.",
    "region": "Region, such as eu-west-1; for users of whom nothing is known.",
    "max_age_s": "Greatest age of the answer, in seconds; an older one is refused with 412.",
}
OF_ALL = ("invalid_request", "unauthorized", "not_found", "too_many_requests", "internal_error")
OF_STORES = ("unavailable", "overloaded", "timed_out")

Document = dict[str, Any]


def openapi(version: str, *, needs_token: bool) -> Document:
    """The document.

    Args:
        version: version of playhead.
        needs_token: whether requests need a bearer token.
    """
    answers = (Recommendations, Features, Assignment, Readiness, Problem)
    _, schemas = msgspec.json.schema_components(answers, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "playhead",
            "version": version,
            "description": "What applications ask of playhead: recommendations, features, variants."
            " Every answer says what it was read from, and how old that is.",
        },
        "paths": _paths(needs_token),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(needs_token: bool) -> Document:
    security: list[Document] = [{"bearer": []}] if needs_token else []
    user = _in_path("user_id", "User to answer.")
    experiment = _in_path("experiment_id", "Experiment to answer.")
    of_recommendations = [_in_query(*pair) for pair in parameters.RECOMMENDATIONS.items()]
    of_features = [_in_query(*pair) for pair in parameters.FEATURES.items()]

    def operation(answer: type, name: str, given: list[Document], *problems: str) -> Document:
        codes = (*OF_ALL, *OF_STORES, *problems)
        return {
            "get": {
                "operationId": name,
                "summary": (answer.__doc__ or "").partition("\n")[0],
                "parameters": given,
                "security": security,
                "responses": {"200": _answer(answer), **_problems(*codes)},
            }
        }

    return {
        RECOMMENDATIONS: operation(
            Recommendations, "recommendations", [user, *of_recommendations], "too_stale"
        ),
        FEATURES: operation(Features, "features", [user, *of_features], "no_features", "too_stale"),
        ASSIGNMENT: operation(
            Assignment, "assignment", [user, experiment, ATTRIBUTES], "unknown_experiment"
        ),
        "/ready": {
            "get": {
                "operationId": "ready",
                "summary": (Readiness.__doc__ or "").partition("\n")[0],
                "responses": {"200": _answer(Readiness), "503": _answer(Readiness, "Not ready.")},
            }
        },
        "/health": {
            "get": {
                "operationId": "health",
                "summary": "Whether the process answers; nothing else is asked.",
                "responses": {"200": {"description": "It does."}},
            }
        },
    }


ATTRIBUTES: Document = {
    "name": "attributes",
    "in": "query",
    "description": "What is known of the user, by name, such as device_type=smart_tv, for the"
    " population of the experiment.",
    "style": "form",
    "explode": True,
    "schema": {
        "type": "object",
        "maxProperties": parameters.MOST,
        "propertyNames": {"pattern": parameters.NAME},
        "additionalProperties": {"type": "string", "pattern": parameters.TEXT},
    },
}


def _in_path(name: str, description: str) -> Document:
    schema = {"type": "string", "pattern": ID}
    head = {"name": name, "in": "path", "required": True, "description": description}
    return {**head, "schema": schema}


def _in_query(name: str, pattern: str) -> Document:
    if pattern == parameters.NUMBER:
        schema: Document = {"type": "number", "minimum": 0, "exclusiveMaximum": 10**9}
    else:
        schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "query", "description": DESCRIPTIONS[name], "schema": schema}


def _answer(answer: type, description: str = "The answer.") -> Document:
    schema = {"$ref": f"#/components/schemas/{answer.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problems(*codes: str) -> Mapping[str, Document]:
    """The answers by status; several problems may share one."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    titles: dict[str, list[str]] = {}
    for code in codes:
        status, title = PROBLEMS[code]
        titles.setdefault(str(status), []).append(f"{title} ({code}).")
    return {
        status: {
            "description": " ".join(told),
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status, told in sorted(titles.items())
    }
