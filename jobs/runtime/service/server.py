"""The service as a server: where it listens, and until when."""

from __future__ import annotations

import ipaddress
import logging
import math
import socket
from errno import EADDRINUSE

import uvicorn
from starlette.types import ASGIApp

from jobs.runtime.errors import ServiceError, SettingsError, first_line
from jobs.runtime.settings import ServeSettings

log = logging.getLogger(__name__)


def serve(app: ASGIApp, settings: ServeSettings, *, has_tokens: bool) -> None:
    """Answer requests until Ctrl-C or SIGTERM; those that are being answered then are finished.

    Args:
        app: application.
        settings: the section `serve`.
        has_tokens: whether clients need tokens.

    Raises:
        SettingsError: others could reach it, and need no token.
        ServiceError: it cannot listen there.
    """
    if not has_tokens and not _is_loopback(settings.host):
        raise SettingsError(
            f"serve.host={settings.host} lets other machines ask, and there is no bearer token",
            "set PLAYHEAD_SERVE_TOKENS in the environment, or serve.host=127.0.0.1",
        )
    with _listening(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        whom = "with a bearer token" if has_tokens else "from this machine, without a token"
        log.info("http://%s:%d answers %s; see /openapi.json", _host(settings.host), port, whom)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.timeout_s) + 1,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ServiceError: the port is in use, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == EADDRINUSE:
            raise ServiceError(
                f"port {port} of {host} is in use",
                "end what listens there, or set serve.port; 0 is any that is free",
            ) from None
        raise ServiceError(
            f"cannot listen at {_host(host)}:{port}: {first_line(error)}",
            "set serve.host to an address of this machine, and serve.port to 1024 or more",
        ) from None
