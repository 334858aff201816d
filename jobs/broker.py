"""Run the embedded broker of the lake in the foreground, until Ctrl-C."""

from __future__ import annotations

import threading

import click

from jobs.runtime.cli import job
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.settings import Settings


@job
def main(settings: Settings) -> None:
    """Run the embedded broker of the lake until Ctrl-C; other jobs find it by themselves."""
    with kafka_of(settings) as kafka:
        click.echo(f"broker at {kafka.bootstrap_servers}; Ctrl-C stops it")
        threading.Event().wait()


if __name__ == "__main__":
    main()
