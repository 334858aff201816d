"""One Redis server: how it is reached, and how it fails."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from jobs.runtime.errors import first_line
from jobs.runtime.online.store import StoreError

CONNECT_S = 2
ANSWER_S = 5
RETRY = Retry(ExponentialBackoff(cap=0.2, base=0.02), 3)


class RedisServer:
    """A server that is connected to at the first command; threads may share it.

    Args:
        url: address, such as redis://host:6379/0.
        remedy: what to do, besides starting it, if it does not serve.
        is_text: whether values are text; else bytes.
    """

    def __init__(self, url: str, remedy: str, *, is_text: bool) -> None:
        self._url = url
        self._remedy = remedy
        self.client: Any = redis.Redis.from_url(
            url,
            decode_responses=is_text,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=CONNECT_S,
            retry=RETRY,
        )

    @contextmanager
    def explained(self) -> Iterator[Any]:
        """Turn errors of the server, or of what it holds, into one line.

        Yields:
            The client.

        Raises:
            StoreError: the server cannot be reached, refuses, or holds something else.
        """
        try:
            yield self.client
        except (redis.RedisError, ValueError, struct.error) as error:
            address = self._url.partition("://")[2].rpartition("@")[2]
            problem = first_line(error).rpartition("caused error: ")[2]  # no keys of a pipeline
            raise StoreError(
                f"Redis at {address} does not serve: {problem}",
                f"start it, or set online.redis_url; {self._remedy}",
            ) from None
