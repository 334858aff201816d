"""The strict lane of Spark's own functions, for where no Python worker may run.

Real-time mode allows none. Texts are parsed as VARIANT; what is accepted and why a text is refused
is the same as in `strict_lane`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.contracts.contract import Contract
from transforms.contracts.registry import Registry
from transforms.contracts.spark_schema import struct_type
from transforms.events.reading import fault_struct, reading
from transforms.events.reasons import Reason
from transforms.events.variant_faults import first_fault
from transforms.events.variants import is_object, string_at

MOST_ROUNDED = 2_000  # each is looked for among all; contracts hold fewer numbers
# what VARIANT holds as a double, and therefore not as it is written; also in other texts
ROUNDED = r"[:,\[\s]-?[0-9.]+[eE]|[0-9.]{39}"
ESCAPED_BACKSLASH = r"\\"
PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
SURROGATE = r"\\u[dD][89a-fA-F]"
STRICT = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}


def steps(registry: Registry, carried: Sequence[Column]) -> list[list[Column]]:
    """The columns to select, step by step, that read texts by Spark's own functions.

    They add strict, struct SHAPE of unread (string, fit to be parsed); null for a null text.

    Args:
        registry: all contracts.
        carried: columns to carry over, `topic` among them.
    """
    contracts, unread = list(registry), F.col("unread")
    more = [*carried, unread]
    digest = F.sha2(unread.cast("binary"), 256)
    return [
        [*more, digest.alias("digest"), wrap_twice(unread, digest).alias("pair")],
        [*more, document(F.col("pair"), F.col("digest")).alias("document")],
        [*more, F.col("document"), *_said(contracts), rounded_numbers(unread).alias("rounded")],
        [*carried, F.when(unread.isNotNull(), _reading(contracts)).alias("strict")],
    ]


def _said(contracts: Sequence[Contract]) -> list[Column]:
    """The columns event_type and contract_version string, and contract int, of a document."""
    said_type, said_version = (
        string_at(F.col("document"), f"$.{name}") for name in ("eventType", "version")
    )
    indexes = F.create_map(
        *(F.lit(part) for index, c in enumerate(contracts) for part in (c.name, index))
    )
    named = F.element_at(indexes, F.concat_ws(" ", said_type, said_version))
    return [
        said_type.alias("event_type"),
        said_version.alias("contract_version"),
        named.alias("contract"),
    ]


def _reading(contracts: Sequence[Contract]) -> Column:
    """Struct SHAPE of a document."""
    document, contract = F.col("document"), F.col("contract")
    name = F.get(F.lit([c.name for c in contracts]), contract)
    key = F.get(F.lit([f"$.{c.key}" for c in contracts]), contract)
    fault = F.coalesce(
        _reading_fault(contracts), first_fault(document, F.col("rounded"), name, contracts)
    )
    shapes = (struct_type(c.body).simpleString() for c in contracts)
    bodies = F.coalesce(
        *(
            F.when(contract == index, F.to_json(F.try_variant_get(document, "$", shape)))
            for index, shape in enumerate(shapes)
        )
    )
    return reading(
        event_type=F.col("event_type"),
        contract_version=F.col("contract_version"),
        contract=contract,
        event_time=F.upper(string_at(document, "$.timestamp")),
        own_id=string_at(document, "$.eventId"),
        own_key=F.try_variant_get(document, key, "string"),
        content=F.when(fault.isNull(), bodies),
        reason=fault["reason"],
        path=fault["path"],
        rule=fault["rule"],
    )


def _reading_fault(contracts: Sequence[Contract]) -> Column:
    """First fault of a document before its values are checked: syntax, event type, version, topic.

    Returns:
        Struct (reason, path, rule) of strings; null if there is none.
    """
    document = F.col("document")
    known = F.col("event_type").isin(*{c.event_type for c in contracts})
    topics = F.get(F.lit([list(c.topics) for c in contracts]), F.col("contract"))
    return (
        F.when(document.isNull(), _parse_fault(F.col("unread")))
        .when(~is_object(document), fault_struct(Reason.NOT_AN_OBJECT, "$"))
        .when(
            ~F.coalesce(known, F.lit(False)),
            fault_struct(Reason.UNKNOWN_EVENT_TYPE, "$.eventType"),
        )
        .when(F.col("contract").isNull(), fault_struct(Reason.UNKNOWN_VERSION, "$.version"))
        .when(~F.array_contains(topics, F.col("topic")), fault_struct(Reason.WRONG_TOPIC))
    )


def _parse_fault(text: Column) -> Column:
    """Fault of a text that is not one strict JSON document, with the rule that it breaks."""
    whole = F.concat(F.lit('{"all":'), text, F.lit("}"))
    repeats_allowed = F.from_json(whole, "map<string, string>", STRICT).isNotNull()
    escapes = F.replace(text, F.lit(ESCAPED_BACKSLASH), F.lit(""))
    half = F.regexp_replace(escapes, PAIR, "").rlike(SURROGATE)
    rule = (
        F.when(F.try_parse_json(text).isNotNull(), "single_document")
        .when(repeats_allowed & ~half, "unique_keys")
        .otherwise("syntax")
    )
    return fault_struct(Reason.MALFORMED_JSON, rule=rule)


def wrap_twice(text: Column, digest: Column) -> Column:
    """Parse a text as the first of two elements of an array whose second is the text's digest.

    A text cannot contain its own digest, so it cannot close the array early and be half ignored.

    Args:
        text: string, valid UTF-8.
        digest: string, the SHA-256 of the text's bytes.

    Returns:
        Variant, null where this is not JSON by RFC 8259 or an object repeats a key, half a
        surrogate pair is escaped, nesting passes 1,000 levels or a number 1,000 characters.
    """
    return F.try_parse_json(F.concat(F.lit("["), text, F.lit('\n,"'), digest, F.lit('"]')))


def document(pair: Column, digest: Column) -> Column:
    """Extract the sole document of a text.

    Args:
        pair: variant from `wrap_twice`.
        digest: string, the SHA-256 of the text's bytes.

    Returns:
        Variant; null if the text holds more than one document, or for a null pair.
    """
    sole = F.try_variant_get(pair, "$[1]", "string") == digest
    return F.when(sole, F.try_variant_get(pair, "$[0]", "variant"))


def rounded_numbers(text: Column) -> Column:
    """The numbers of a text that VARIANT rounds to doubles: with an exponent, or of 39 digits.

    Args:
        text: string, one JSON document.

    Returns:
        Array of strings, the first MOST_ROUNDED different ones as written; null for the many texts
        without such a number.
    """
    bare = F.replace(F.replace(text, F.lit("\\\\"), F.lit("")), F.lit('\\"'), F.lit(""))
    outside = F.regexp_replace(bare, '"[^"]*+"', '""')
    numbers = F.regexp_extract_all(outside, F.lit("-?[0-9][-+.0-9eE]*+"), F.lit(0))
    rounded = F.filter(numbers, lambda number: F.rlike(number, F.lit("[eE]|.{39}")))
    return F.when(text.rlike(ROUNDED), F.slice(F.array_distinct(rounded), 1, MOST_ROUNDED))
