"""The online store in Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import redis

from jobs.runtime.errors import first_line
from jobs.runtime.online.store import BATCH, Clock, Publication, StoredList, StoreError, batches
from transforms.recommendations.contexts import EVERYBODY


class RedisLists:
    """Two hashes for each user: lists by context, and cached answers.

    Args:
        url: address, such as redis://host:6379/0.
        model: registered name of the model, which all keys begin with.
        clock: function that returns seconds since the epoch.
    """

    def __init__(self, url: str, model: str, clock: Clock = time.time) -> None:
        self._url = url
        self._clock = clock
        self._prefix = f"playhead:{model}"
        self._redis: Any = redis.Redis.from_url(
            url, decode_responses=True, socket_timeout=5, socket_connect_timeout=2
        )

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `ListStore`."""
        with self._explain_errors():
            found = self._redis.hget(self._lists(user_id), context_type)
        return None if found is None else str(found)

    def publication(self) -> Publication | None:
        """See `ListStore`."""
        with self._explain_errors():
            found = self._redis.hgetall(f"{self._prefix}:published")
        if not found:
            return None
        versions = int(found["table_version"]), str(found["model_version"])
        return Publication(*versions, int(found["generation"]))

    def apply(self, changes: Iterable[StoredList], publication: Publication, *, anew: bool) -> int:
        """See `ListStore`; a publication cut short is repeated from the one before."""
        count = 0
        before = self.publication()
        with self._explain_errors():
            if anew:
                self._drop("list")
            evict_all = anew or before is None or before.model_version != publication.model_version
            for batch in batches(changes):
                count += len(batch)
                evict_all |= any(change.user_id.startswith(EVERYBODY) for change in batch)
                self._put(batch)
            if evict_all:
                self._drop("answer")
            self._redis.hset(f"{self._prefix}:published", mapping=asdict(publication))
        return count

    def recall(self, user_id: str, key: str) -> str | None:
        """See `ListStore`."""
        with self._explain_errors():
            found = self._redis.hget(self._answers(user_id), key)
        if found is None:
            return None
        until, answer = json.loads(found)
        return str(answer) if until > self._clock() else None

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """See `ListStore`."""
        until = self._clock() + for_s
        with self._explain_errors(), self._redis.pipeline() as pipe:
            pipe.hset(self._answers(user_id), key, json.dumps([until, answer]))
            pipe.expire(self._answers(user_id), for_s)
            pipe.execute()

    def forget(self, user_id: str) -> None:
        """See `ListStore`; Redis rewrites its files by its own settings."""
        with self._explain_errors():
            self._redis.delete(self._lists(user_id), self._answers(user_id))

    def _put(self, batch: Iterable[StoredList]) -> None:
        with self._redis.pipeline() as pipe:
            for change in batch:
                key = self._lists(change.user_id)
                if change.document is None:
                    pipe.hdel(key, change.context_type)
                else:
                    pipe.hset(key, change.context_type, change.document)
                pipe.delete(self._answers(change.user_id))
            pipe.execute()

    def _drop(self, kind: str) -> None:
        for keys in batches(self._redis.scan_iter(f"{self._prefix}:{kind}:*", count=BATCH)):
            self._redis.delete(*keys)

    def _lists(self, user_id: str) -> str:
        return f"{self._prefix}:list:{user_id}"

    def _answers(self, user_id: str) -> str:
        return f"{self._prefix}:answer:{user_id}"

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, ValueError) as error:
            raise StoreError(
                f"Redis at {self._url.rpartition('@')[2]} does not serve: {first_line(error)}",
                "start it, or set online.redis_url; python -m jobs.publish loads it again",
            ) from None
