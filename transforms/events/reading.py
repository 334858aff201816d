"""What a lane reads of a text: the same fields from each."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.events.reasons import Reason


class Reading(NamedTuple):
    """What a lane reads of a text; None is what the text does not say.

    Attributes:
        event_type: event type that the text names; needed only without a contract.
        contract_version: version that it names; needed only without a contract.
        contract: index in the registry of the contract that they name.
        event_time: text of its timestamp.
        own_id: its eventId.
        own_key: value of the contract's key field.
        content: the valid event: its cells, or JSON without members that its contract lacks.
        reason: why it is rejected.
        path: JSONPath of the place that is wrong.
        rule: keyword or rule that is broken.
    """

    event_type: str | None = None
    contract_version: str | None = None
    contract: int | None = None
    event_time: str | None = None
    own_id: str | None = None
    own_key: str | None = None
    content: str | None = None
    reason: str | None = None
    path: str | None = None
    rule: str | None = None


TYPES = {name: "int" if name == "contract" else "string" for name in Reading._fields}
SHAPE = f"struct<{', '.join(f'{name}: {type_}' for name, type_ in TYPES.items())}>"


def reading(**said: Column) -> Column:
    """Struct SHAPE of the fields that are said, null in the others.

    Args:
        said: column of the field's type, by the field's name.
    """
    return F.struct(
        *(said.get(name, F.lit(None)).cast(type_).alias(name) for name, type_ in TYPES.items())
    )


def fault_struct(
    reason: Reason, path: str | Column | None = None, rule: str | Column | None = None
) -> Column:
    """Struct (reason, path, rule) of strings.

    Args:
        reason: reason code.
        path: JSONPath of the place; None for null.
        rule: keyword or rule that is broken; None for null.
    """
    detail = {"path": path, "rule": rule}
    return F.struct(
        F.lit(str(reason)).alias("reason"),
        *(F.lit(value).cast("string").alias(name) for name, value in detail.items()),
    )
