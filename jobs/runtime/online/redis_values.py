"""Versioned values in Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from struct import Struct

from jobs.runtime.online.redis import RedisServer
from jobs.runtime.online.store import Clock, batches
from jobs.runtime.online.values import (
    SECOND,
    SWEEP,
    StoredValue,
    Write,
    expiry_of,
    kept_until,
    refuse_unsound,
    stored_value,
    version_of,
)

REMEDY = "python -m jobs.publish fills it again"
MILLISECOND = 1_000  # microseconds
NEVER = 0
IN_FLIGHT = 8  # batches that are sent before the first is answered

HEADER = Struct(">HQ?")  # bytes of the version, expiry or NEVER, is it a value; then version, value

# Lua's own `<` on strings goes by the server's locale, and its numbers end at 2^53: versions are
# compared byte by byte.
COMPARE_AND_SET = """
local function version_of(entry)
  local size = struct.unpack('>H', entry)
  return string.sub(entry, 12, 11 + size)
end

local function is_newer(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = string.byte(one, i), string.byte(other, i)
    if a ~= b then return a > b end
  end
  return #one > #other
end

-- a key is kept as long as the kind of it that is to be kept longest
local function keep(key, for_ms, left_ms)
  if for_ms < 0 then
    if left_ms >= 0 then redis.call('PERSIST', key) end
  elseif left_ms == -2 or (left_ms >= 0 and left_ms < for_ms) then
    redis.call('PEXPIRE', key, for_ms)
  end
end

local written = 0
for i, key in ipairs(KEYS) do
  local kind, entry, for_ms = ARGV[3 * i - 2], ARGV[3 * i - 1], tonumber(ARGV[3 * i])
  local held = redis.call('HGET', key, kind)
  if not held or is_newer(version_of(entry), version_of(held)) then
    local left_ms = redis.call('PTTL', key)
    redis.call('HSET', key, kind, entry)
    keep(key, for_ms, left_ms)
    written = written + 1
  end
end
return written
"""


class RedisValues:
    """A hash for each key, with the newest version of each kind.

    Redis itself evicts a key, by its own clock, when the last of its versions is due.

    Args:
        url: address, such as redis://host:6379/0.
        horizon_s: how far back a replay can reach, in seconds.
        clock: function that returns seconds since the epoch.
    """

    def __init__(self, url: str, horizon_s: int, clock: Clock = time.time) -> None:
        self._server = RedisServer(url, REMEDY, is_text=False)
        self._compare_and_set = self._server.client.register_script(COMPARE_AND_SET)
        self._horizon_s = horizon_s
        self._clock = clock

    def get(self, key: str, kind: str) -> StoredValue | None:
        """See `ValueStore`."""
        with self._server.explained() as redis:
            entry = redis.hget(_name(key), kind)
            return None if entry is None else _decoded(entry, self._clock())

    def apply(self, writes: Sequence[Write]) -> int:
        """See `ValueStore`; a batch goes in one script, some batches in one pipeline."""
        now = self._clock()
        refuse_unsound(writes, now)
        written = 0
        with self._server.explained() as redis:
            waiting = redis.pipeline(transaction=False)
            for batch in batches(writes):
                names = [_name(write.key) for write in batch]
                arguments = list(self._arguments(batch, int(now * SECOND)))
                self._compare_and_set(names, arguments, waiting)
                if len(waiting) == IN_FLIGHT:
                    written += sum(waiting.execute())
            written += sum(waiting.execute())
        return int(written)

    def sweep(self, limit: int = SWEEP) -> int:
        """See `ValueStore`; Redis evicts by itself, a few keys at a time."""
        return 0

    def forget(self, key: str) -> None:
        """See `ValueStore`; Redis rewrites its files by its own settings."""
        with self._server.explained() as redis:
            redis.delete(_name(key))

    def _arguments(self, batch: Sequence[Write], now: int) -> Iterator[str | bytes | int]:
        for write in batch:
            yield write.kind
            yield _encoded(write)
            until = kept_until(write, now, self._horizon_s)
            yield -1 if until is None else (until - now) // MILLISECOND


def _name(key: str) -> str:
    return f"playhead:values:1:{key}"  # 1: the version of HEADER


def _encoded(write: Write) -> bytes:
    version, is_value = version_of(write), write.document is not None
    header = HEADER.pack(len(version), expiry_of(write) or NEVER, is_value)
    return header + version + (write.document or "").encode()


def _decoded(entry: bytes, now: float) -> StoredValue:
    size, expires_at, is_value = HEADER.unpack_from(entry)
    version, document = (
        entry[HEADER.size : HEADER.size + size],
        entry[HEADER.size + size :],
    )
    at = None if expires_at == NEVER else expires_at
    return stored_value(version, document.decode() if is_value else None, at, now)
