"""Who may ask, and how much: bearer tokens, and a rate for each."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence

from jobs.runtime.errors import SettingsError

SHORTEST_TOKEN = 16
LOCAL = "local"  # the one client of a service without tokens
BEARER = "bearer "


class Tokens:
    """Bearer tokens, of which only digests are kept.

    Args:
        tokens: secrets that clients send; without any, everybody is let in.

    Raises:
        SettingsError: a token is so short that it can be guessed.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        if any(len(token) < SHORTEST_TOKEN for token in tokens):
            raise SettingsError(
                f"a bearer token of PLAYHEAD_SERVE_TOKENS is shorter than {SHORTEST_TOKEN}",
                "make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        self._digests = [_digest(token) for token in tokens]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def client_of(self, authorization: str) -> str | None:
        """Which client sends a header, in a time that tells nothing of the tokens.

        Args:
            authorization: the header, empty if it is missing.

        Returns:
            A name of the token, which does not give it away; LOCAL if there are no tokens; None if
            the header has none of them.
        """
        if not self._digests:
            return LOCAL
        is_bearer = authorization[: len(BEARER)].lower() == BEARER
        given = _digest(authorization[len(BEARER) :].strip())
        equal = [hmac.compare_digest(given, digest) for digest in self._digests]
        return f"token-{equal.index(True)}" if is_bearer and any(equal) else None


class RateLimit:
    """A bucket for each client, that fills with the rate and holds a second's worth; of one thread.

    Args:
        rate_per_s: requests that a client may make in a second.
        clock: function that returns seconds, and is never set back.
    """

    def __init__(self, rate_per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def admits(self, client: str) -> bool:
        """Take one request out of a client's bucket, if it has one."""
        now = self._clock()
        left, at = self._buckets.get(client, (float(self._rate_per_s), now))
        left = min(self._rate_per_s, left + (now - at) * self._rate_per_s)
        self._buckets[client] = (max(left - 1, 0) if left >= 1 else left, now)
        return left >= 1


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
