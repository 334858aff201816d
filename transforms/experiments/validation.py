"""Validation of definitions, and the one-line message of the first fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from transforms.ids import ID

BUCKETS = 10_000
"""Into how many equal parts users are hashed; a share is a whole number of them."""


class DefinitionError(ValueError):
    """A definition that cannot be used, with a message of one line for its author."""


class Definition(BaseModel):
    """Base of all definitions: immutable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _in_utc(instant: datetime) -> datetime:
    """Convert an instant to UTC."""
    return instant.astimezone(UTC)


Name = Annotated[str, StringConstraints(pattern=ID)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=4), AfterValidator(Decimal.normalize)]
Bucket = Annotated[int, Field(ge=0, le=BUCKETS)]

D = TypeVar("D", bound=Definition)


def parse(model: type[D], content: Any, *, origin: str) -> D:
    """Validate parsed YAML as a definition.

    Args:
        model: class of the definition.
        content: parsed YAML.
        origin: name of the source, for the message.

    Raises:
        DefinitionError: invalid content; the message has the origin, the key, the fault and what
            was found.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] in ("missing", "value_error") else f" (found {first['input']!r})"
    raise DefinitionError(f"{origin}: {where}{': ' if where else ''}{message}{found}")


def require_known(what: str, name: str, known: Iterable[str], where: str) -> None:
    """Refuse an unknown name.

    Args:
        what: kind of the name, for the message.
        name: name to look up.
        known: known names.
        where: place of the name, for the message.

    Raises:
        DefinitionError: the name is unknown; the message lists the nearest known names.
    """
    if name not in known:
        raise DefinitionError(f"{where}: {unknown(what, name, known)}")


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Message that a name is unknown, with the nearest known names, else the first ten.

    Args:
        what: kind of the name.
        name: the unknown name.
        known: known names.
    """
    known = sorted(known)
    near = get_close_matches(name, known) or known[:10]
    return f"unknown {what} {name!r}; known: {', '.join(near) or 'none'}"


def refuse_repeats(what: str, names: Sequence[str]) -> None:
    """Refuse a list with a repeated name.

    Raises:
        ValueError: a name occurs twice.
    """
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise ValueError(f"{what} {repeated[0]!r} is there twice")
