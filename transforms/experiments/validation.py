"""How a definition is checked, and how its first fault is said in one line."""

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

BUCKETS = 10_000
"""Into how many equal parts users are hashed; a share is a whole number of them."""


class DefinitionError(ValueError):
    """A definition that cannot be used; the text is one line for whoever wrote it."""


class Definition(BaseModel):
    """Immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _in_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=4), AfterValidator(Decimal.normalize)]
Bucket = Annotated[int, Field(ge=0, le=BUCKETS)]

D = TypeVar("D", bound=Definition)


def parse(model: type[D], content: Any, *, origin: str) -> D:
    """Content as a definition.

    Args:
        model: what it should be.
        content: parsed YAML.
        origin: where it is from, for the message.

    Raises:
        DefinitionError: the origin, the key, what is wrong with it, what was found.
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
    """DefinitionError with the nearest known names if the name is not one of them."""
    if name not in known:
        raise DefinitionError(f"{where}: {unknown(what, name, known)}")


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """That a name is not known, and which ones are: the nearest, else the first ten."""
    known = sorted(known)
    near = get_close_matches(name, known) or known[:10]
    return f"unknown {what} {name!r}; known: {', '.join(near) or 'none'}"


def refuse_repeats(what: str, names: Sequence[str]) -> None:
    """ValueError if a name is there twice."""
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise ValueError(f"{what} {repeated[0]!r} is there twice")
