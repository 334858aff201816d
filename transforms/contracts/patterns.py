"""Patterns of contracts: ECMA regular expressions that Java and Python read alike.

A contract may use what the three engines share: literals, character classes in brackets, groups,
alternatives and repetition. What they read differently is rewritten, or refused.
"""

from __future__ import annotations

import re
from functools import lru_cache

END = r"(?![\s\S])"  # end of a text, in all engines
ANY = r"[^\n\r\u2028\u2029]"  # the dot of ECMA, in Java and Python
NOT_ATOMS = ("^", "$", END, "|", "(", "(?:")
ESCAPABLE = r"[!-/:-@\[-`{-~ ]"
TOKEN = re.compile(
    rf"""(?P<end>{re.escape(END)}|\$)
    |(?P<class>\[\^?(?:\\{ESCAPABLE}|[^\]\\])+\])
    |(?P<repeat>(?:[*+?]|\{{\d{{1,9}}(?:,\d{{0,9}})?\}})\??)
    |(?P<any>\.)
    |(?P<closing>[\]\}}])
    |(?P<plain>\\{ESCAPABLE}|\(\?:|\((?!\?)|[^\\(\[{{])""".replace(" ]", "\\ ]"),
    re.VERBOSE | re.DOTALL,
)
SET_OPERATOR = re.compile(r"\\.|[\[&|~]", re.DOTALL)  # of Java and Python; literals in ECMA


class PatternError(ValueError):
    """A pattern is no regular expression, or one that the engines do not share."""


@lru_cache(maxsize=1024)
def portable(pattern: str) -> str:
    """Rewrite a pattern so that Java and Python find in a text what ECMA finds.

    Args:
        pattern: regular expression of a contract.

    Returns:
        The pattern with `$`, `.` and brackets within classes written in full.

    Raises:
        PatternError: it is no regular expression or not portable; the message says where.
    """
    written: list[str] = []
    at, before = 0, "("
    while at < len(pattern):
        found = TOKEN.match(pattern, at)
        if found is None:
            raise PatternError(
                f"{pattern[at : at + 9]!r} is not portable: a pattern may use character classes in "
                "brackets, groups and repetition; no escapes of letters or digits, no look-around"
            )
        kind, token = str(found.lastgroup), found[0]
        if kind == "repeat" and before in (*NOT_ATOMS, "repeat"):
            raise PatternError(f"{token!r} repeats nothing")
        written.append(_in_all_engines(kind, token))
        at, before = found.end(), "repeat" if kind == "repeat" else token
    text = "".join(written)
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"no regular expression: {error}") from None
    return text


def _in_all_engines(kind: str, token: str) -> str:
    """One token as Java and Python read it in ECMA's sense."""
    if kind == "class":
        inside = SET_OPERATOR.sub(
            lambda found: found[0] if found[0].startswith("\\") else f"\\{found[0]}", token[1:-1]
        )
        return f"[{inside}]"
    if kind == "closing":
        return f"\\{token}"
    return {"end": END, "any": ANY}.get(kind, token)
