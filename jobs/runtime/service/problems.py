"""Problems (RFC 9457): why a request is not answered, for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

PROBLEMS: Mapping[str, tuple[int, str]] = {  # status and title by code
    "invalid_request": (400, "The request is not valid"),
    "unauthorized": (401, "A valid bearer token is needed"),
    "not_found": (404, "There is nothing at this address"),
    "no_features": (404, "No features of this user are stored"),
    "unknown_experiment": (404, "No such experiment is defined"),
    "method_not_allowed": (405, "Only GET is answered"),
    "too_stale": (412, "The newest answer is older than was asked for"),
    "too_many_requests": (429, "More requests in a second than are allowed"),
    "internal_error": (500, "The service has a defect"),
    "unavailable": (503, "What the answer is read from does not serve"),
    "overloaded": (503, "More requests at a time than can be answered"),
    "timed_out": (504, "The answer took too long"),
}
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Problem(msgspec.Struct, frozen=True):
    """The body of an answer of type application/problem+json.

    Attributes:
        type: urn:playhead:problem: and a code of PROBLEMS.
        title: what such a problem is.
        status: status of the answer.
        detail: what was wrong with this request.
    """

    type: str
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """A request that cannot be answered.

    Args:
        code: one of PROBLEMS.
        detail: what is wrong with this request.
        headers: headers of the answer, by name.
    """

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(code, detail)
        self.status, title = PROBLEMS[code]
        self.problem = Problem(f"urn:playhead:problem:{code}", title, self.status, detail)
        self.headers = headers
