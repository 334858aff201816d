"""Lists of recommendations in Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from jobs.runtime.online.lists import Publication, StoredList
from jobs.runtime.online.redis import RedisServer
from jobs.runtime.online.store import BATCH, Clock, batches
from transforms.recommendations.contexts import EVERYBODY

REMEDY = "python -m jobs.publish loads it again"


class RedisLists:
    """Two hashes for each user: lists by context, and cached answers.

    Args:
        url: address, such as redis://host:6379/0.
        model: registered name of the model, which all keys begin with.
        clock: function that returns seconds since the epoch.
    """

    def __init__(self, url: str, model: str, clock: Clock = time.time) -> None:
        self._server = RedisServer(url, REMEDY, is_text=True)
        self._clock = clock
        self._prefix = f"playhead:{model}"

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `ListStore`."""
        with self._server.explained() as redis:
            found = redis.hget(self._lists(user_id), context_type)
        return None if found is None else str(found)

    def publication(self) -> Publication | None:
        """See `ListStore`."""
        with self._server.explained() as redis:
            found = redis.hgetall(f"{self._prefix}:published")
        if not found:
            return None
        at = found.get("published_at")
        return Publication(
            int(found["table_version"]),
            str(found["model_version"]),
            int(found["generation"]),
            None if at is None else float(at),
        )

    def apply(self, changes: Iterable[StoredList], publication: Publication, *, anew: bool) -> int:
        """See `ListStore`; a publication cut short is repeated from the one before."""
        count = 0
        before = self.publication()
        with self._server.explained() as redis:
            if anew:
                self._drop(redis, "list")
            evict_all = anew or before is None or before.model_version != publication.model_version
            for batch in batches(changes):
                count += len(batch)
                evict_all |= any(change.user_id.startswith(EVERYBODY) for change in batch)
                self._put(redis, batch)
            if evict_all:
                self._drop(redis, "answer")
            redis.hset(
                f"{self._prefix}:published",
                mapping={
                    "table_version": publication.table_version,
                    "model_version": publication.model_version,
                    "generation": publication.generation,
                    "published_at": self._clock(),
                },
            )
        return count

    def recall(self, user_id: str, key: str) -> str | None:
        """See `ListStore`."""
        with self._server.explained() as redis:
            found = redis.hget(self._answers(user_id), key)
        if found is None:
            return None
        until, answer = json.loads(found)
        return str(answer) if until > self._clock() else None

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """See `ListStore`."""
        until = self._clock() + for_s
        with self._server.explained() as redis, redis.pipeline() as pipe:
            pipe.hset(self._answers(user_id), key, json.dumps([until, answer]))
            pipe.expire(self._answers(user_id), for_s)
            pipe.execute()

    def forget(self, user_id: str) -> None:
        """See `ListStore`; Redis rewrites its files by its own settings."""
        with self._server.explained() as redis:
            redis.delete(self._lists(user_id), self._answers(user_id))

    def _put(self, redis: Any, batch: Iterable[StoredList]) -> None:
        with redis.pipeline() as pipe:
            for change in batch:
                key = self._lists(change.user_id)
                if change.document is None:
                    pipe.hdel(key, change.context_type)
                else:
                    pipe.hset(key, change.context_type, change.document)
                pipe.delete(self._answers(change.user_id))
            pipe.execute()

    def _drop(self, redis: Any, kind: str) -> None:
        for keys in batches(redis.scan_iter(f"{self._prefix}:{kind}:*", count=BATCH)):
            redis.delete(*keys)

    def _lists(self, user_id: str) -> str:
        return f"{self._prefix}:list:{user_id}"

    def _answers(self, user_id: str) -> str:
        return f"{self._prefix}:answer:{user_id}"
