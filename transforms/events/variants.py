"""Values of type VARIANT: what they hold, null instead of an error."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def string_at(value: Column, path: str) -> Column:
    """The string at a JSONPath of a variant.

    Args:
        value: variant.
        path: JSONPath.

    Returns:
        String; null if the place is absent or holds another type.
    """
    found = F.try_variant_get(value, path, "variant")
    return F.when(type_of(found) == "STRING", F.try_variant_get(value, path, "string"))


def is_object(value: Column) -> Column:
    """Whether a variant is a JSON object."""
    return members_of(value).isNotNull()


def members_of(value: Column) -> Column:
    """Members of a JSON object.

    Returns:
        Map from string to variant; null for other types.
    """
    return value.try_cast("map<string, variant>")


def elements_of(value: Column) -> Column:
    """Elements of a JSON array.

    Returns:
        Array of variants; null for other types.
    """
    return value.try_cast("array<variant>")


def type_of(value: Column) -> Column:
    """SQL name of a variant's type without parameters, such as OBJECT, ARRAY, STRING or VOID."""
    return (
        F.when(members_of(value).isNotNull(), "OBJECT")
        .when(elements_of(value).isNotNull(), "ARRAY")
        .otherwise(F.substring_index(F.schema_of_variant(value), "(", 1))
    )
