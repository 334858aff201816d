"""The Spark types of contracts and their nodes."""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
)

from transforms.contracts.contract import Node

SCALARS: dict[str, DataType] = {
    "string": StringType(),
    "integer": LongType(),
    "number": DoubleType(),
    "boolean": BooleanType(),
}


def spark_type(node: Node) -> DataType:
    """The Spark type that holds any value of a node.

    Everything is nullable, as an absent field is null. Date-times and dates stay strings: only
    the envelope's timestamp is converted, by `judge`.
    """
    if node.kind == "object":
        return struct_type(node)
    if node.items is not None:
        below = spark_type(node.items)
        return ArrayType(below) if node.kind == "array" else MapType(StringType(), below)
    return SCALARS[node.kind]


def struct_type(node: Node) -> StructType:
    """The struct type of an object node, its fields in the order of the file."""
    return StructType([StructField(name, spark_type(child)) for name, child in node.fields.items()])
