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
from jobs.runtime.online.store import BATCH, Clock, Published, StoredList, StoreError, batched
from transforms.recommendations.lists import EVERYBODY


class RedisLists:
    """The read model in Redis: a hash of lists and a hash of cached answers for each user.

    Args:
        url: as redis://host:6379/0.
        model: the registered name, which all keys begin with.
        clock: seconds since the epoch.
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
        with self._explained():
            found = self._redis.hget(self._lists(user_id), context_type)
        return None if found is None else str(found)

    def published(self) -> Published | None:
        """See `ListStore`."""
        with self._explained():
            found = self._redis.hgetall(f"{self._prefix}:published")
        if not found:
            return None
        versions = int(found["table_version"]), str(found["model_version"])
        return Published(*versions, int(found["generation"]))

    def apply(self, changes: Iterable[StoredList], published: Published, *, anew: bool) -> int:
        """See `ListStore`; a publication cut short is repeated from what was published before."""
        count = 0
        known = self.published()
        with self._explained():
            if anew:
                self._drop("list")
            forget_all = anew or known is None or known.model_version != published.model_version
            for batch in batched(changes):
                count += len(batch)
                forget_all |= any(change.user_id.startswith(EVERYBODY) for change in batch)
                self._put(batch)
            if forget_all:
                self._drop("answer")
            self._redis.hset(f"{self._prefix}:published", mapping=asdict(published))
        return count

    def recall(self, user_id: str, key: str) -> str | None:
        """See `ListStore`."""
        with self._explained():
            found = self._redis.hget(self._answers(user_id), key)
        if found is None:
            return None
        until, answer = json.loads(found)
        return str(answer) if until > self._clock() else None

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """See `ListStore`."""
        until = self._clock() + for_s
        with self._explained(), self._redis.pipeline() as pipe:
            pipe.hset(self._answers(user_id), key, json.dumps([until, answer]))
            pipe.expire(self._answers(user_id), for_s)
            pipe.execute()

    def forget(self, user_id: str) -> None:
        """See `ListStore`; Redis rewrites its files by its own settings."""
        with self._explained():
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
        for keys in batched(self._redis.scan_iter(f"{self._prefix}:{kind}:*", count=BATCH)):
            self._redis.delete(*keys)

    def _lists(self, user_id: str) -> str:
        return f"{self._prefix}:list:{user_id}"

    def _answers(self, user_id: str) -> str:
        return f"{self._prefix}:answer:{user_id}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, ValueError) as error:
            raise StoreError(
                f"Redis at {self._url.rpartition('@')[2]} does not serve: {first_line(error)}",
                "start it, or set recommend.redis_url; python -m jobs.publish loads it again",
            ) from None
