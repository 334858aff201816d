"""The parameters of requests: which there are, and what they may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from starlette.requests import Request

from jobs.runtime.service.problems import ProblemError
from transforms.ids import ID, ID_CHARACTERS

NAME = f"^[{ID_CHARACTERS}]{{1,64}}$"
TEXT = r"^[^\x00-\x1f\x7f]{1,128}$"
NUMBER = r"^[0-9]{1,9}(\.[0-9]{1,6})?$"
MOST = 20  # parameters of a request
RECOMMENDATIONS = {"context": ID, "device": ID, "region": ID, "max_age_s": NUMBER}
FEATURES = {"max_age_s": NUMBER}


def path_id(request: Request, name: str) -> str:
    """An id in the path.

    Raises:
        ProblemError: it has other characters than an id may have, or is too long.
    """
    text = str(request.path_params[name])
    if not _matches(ID, text):
        raise ProblemError("invalid_request", f"{name} is not like {ID}: {_shown(text)}")
    return text


def declared(request: Request, patterns: Mapping[str, str]) -> dict[str, str]:
    """The parameters of the query.

    Args:
        request: request to read.
        patterns: pattern of each parameter that there is, by name.

    Raises:
        ProblemError: there is no such parameter, it is given twice, or it is not like its pattern.
    """
    found = dict(_pairs(request))
    for name, text in found.items():
        if name not in patterns:
            known = ", ".join(patterns)
            raise ProblemError("invalid_request", f"no parameter {_shown(name)}; use {known}")
        if not _matches(patterns[name], text):
            detail = f"{name} is not like {patterns[name]}: {_shown(text)}"
            raise ProblemError("invalid_request", detail)
    return found


def attributes(request: Request) -> dict[str, str]:
    """The parameters of the query as attributes of a user, of any name.

    Raises:
        ProblemError: a name is not like one, a value is too long or has control characters, or a
            name is given twice.
    """
    found = dict(_pairs(request))
    for name, text in found.items():
        if not (_matches(NAME, name) and _matches(TEXT, text)):
            detail = f"{_shown(name)} is not like {NAME}, or its value not like {TEXT}"
            raise ProblemError("invalid_request", detail)
    return found


def _pairs(request: Request) -> Iterator[tuple[str, str]]:
    """Name and value of each parameter of the query.

    Raises:
        ProblemError: a parameter is given twice, or there are too many.
    """
    pairs = request.query_params.multi_items()
    if len(pairs) > MOST or len({name for name, _ in pairs}) < len(pairs):
        raise ProblemError("invalid_request", f"parameters given twice, or more than {MOST}")
    yield from pairs


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern.removesuffix("$"), text) is not None


def _shown(text: str) -> str:
    """The beginning of a text, with escapes for what is not ASCII or not printable."""
    return ascii(text[:40]) + ("..." if len(text) > 40 else "")
