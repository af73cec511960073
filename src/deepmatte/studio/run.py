"""Starts and stops the studio's server."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from pathlib import Path

import uvicorn

from deepmatte.errors import DataError
from deepmatte.images.files import read_bytes
from deepmatte.matting import Matter
from deepmatte.studio.browser import opened
from deepmatte.studio.connections import Connection, most_connections
from deepmatte.studio.server import application
from deepmatte.studio.state import State

HOST, PORT = "127.0.0.1", 8764
"""Always the same if it is free, for the browser keeps what was painted under this address."""

# Ports tried after that.
_TRIED = 20
# Seconds for open answers when the server stops.
_GRACE = 1


def studio(picture: str | None, *, port: int | None, memory: int, browser: bool) -> None:
    """Serve the page until interrupted.

    Args:
        picture: path of what the page opens at first.
        port: None takes `PORT` or the next free one.
        memory: bytes that the open pictures may hold.
        browser: whether to open the page.

    Raises:
        ImageError: the picture cannot be read.
        DataError: the port is taken.
        KeyboardInterrupt: by Ctrl-C.
    """
    first = None if picture is None else (read_bytes(picture), Path(picture).name)
    listener = _listen(port)
    state = State(Matter(), memory, first)
    token, used = secrets.token_urlsafe(24), listener.getsockname()[1]
    config = uvicorn.Config(
        application(state, port=used, token=token),
        http=Connection,
        backlog=most_connections(),
        ws="none",
        log_config=None,
        log_level="critical",  # what goes wrong is said once, by the application
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    address = f"http://{HOST}:{used}/#token={token}"
    print(f"The studio is at {address}\nCtrl-C stops it.", flush=True)
    try:
        with opened(address) if browser else contextlib.nullcontext():
            uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        # A picture that is being decoded or encoded cannot be stopped, and nothing is lost by it.
        sys.stdout.flush()
        os._exit(130)


def _listen(port: int | None) -> socket.socket:
    """A socket at the port, or at the first free one."""
    for tried in range(PORT, PORT + _TRIED) if port is None else [port]:
        listener = socket.socket()
        if os.name == "posix":  # on other systems it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, tried))
            listener.listen(100)
        except OSError:
            listener.close()
        else:
            return listener
    if port is None:
        raise DataError(f"The ports {PORT} to {PORT + _TRIED - 1} are taken; choose one: --port N.")
    raise DataError(f"Port {port} is taken or not allowed; leave --port out to find a free one.")
