"""JSON numbers as the decimals that are written: read without rounding, held or refused.

docs/contracts.md says which numbers the types of a contract hold.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

MAX_SAFE_INTEGER = 2**53 - 1
MOST_DIGITS = 17  # significant decimal digits that tell any two doubles apart
LONGEST_WHOLE = 30  # digits; a longer number is out of range in any form

Number = int | float | Decimal


class Written(Decimal):
    """A decimal that prints as the number that was written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def read_number(token: str) -> int | Written:
    """Read a number of a JSON document exactly, for `parse_int` and `parse_float` of json.

    Args:
        token: the number as written.

    Returns:
        An integer for a whole number of moderate size, in whatever form it is written; else the
        decimal, infinite if its exponent has more digits than a decimal can have.
    """
    try:
        number = Written(token)
    except InvalidOperation:
        return Written("Infinity")
    whole = number.adjusted() < LONGEST_WHOLE and number == number.to_integral_value()
    return int(number) if whole else number


def is_held(number: Number, kind: str) -> bool:
    """Whether a type of a contract holds a number.

    Args:
        number: a number; a float stands for the shortest decimal that is read as it.
        kind: `integer` or `number`.
    """
    size = _decimal(number).copy_abs()
    if size > MAX_SAFE_INTEGER:
        return False
    if kind == "integer":
        return size == size.to_integral_value()
    return not size or (float(size) != 0 and significant_digits(size) <= MOST_DIGITS)


def significant_digits(number: Decimal) -> int:
    """Count the digits of a number without leading and trailing zeros."""
    return len("".join(map(str, number.as_tuple().digits)).strip("0"))


def is_multiple(number: Number, step: Number) -> bool:
    """Whether a number that `is_held` is a multiple of a step.

    Args:
        number: the number.
        step: number above 0.
    """
    return (Fraction(_decimal(number)) / Fraction(_decimal(step))).denominator == 1


def _decimal(number: Number) -> Decimal:
    """A number as a decimal; a float as the shortest one that is read as it."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
