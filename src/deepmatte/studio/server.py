"""The studio's server: the page and its API."""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
import sys
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from deepmatte.errors import MattingError
from deepmatte.studio.connections import stay_quiet
from deepmatte.studio.guard import Guard
from deepmatte.studio.live import sentence
from deepmatte.studio.picture_routes import PictureRoutes
from deepmatte.studio.result_routes import ResultRoutes
from deepmatte.studio.state import State
from deepmatte.studio.trimap_routes import TrimapRoutes

PAGE = Path(__file__).parent / "page"


def application(state: State, *, port: int, token: str) -> ASGIApp:
    """The page and its API.

    Args:
        state: what the routes share.
        port: of this server.
        token: of this run.
    """
    # Windows may register another type, with which browsers refuse modules.
    mimetypes.add_type("text/javascript", ".js")
    groups = (PictureRoutes(state), TrimapRoutes(state), ResultRoutes(state))
    routes = [route for group in groups for route in group.routes]
    mounts = [
        Mount("/api", Router(routes, redirect_slashes=False)),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    handlers: dict[Any, Any] = {
        HTTPException: _refused,
        MattingError: _failed,
        MemoryError: _failed,
        ClientDisconnect: _failed,
        Exception: _failed,
    }

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        stay_quiet(asyncio.get_running_loop())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(state.live.run)
            yield
            tasks.cancel_scope.cancel()

    app = Starlette(routes=mounts, exception_handlers=handlers, lifespan=lifespan)
    return Guard(app, port=port, token=token)


async def _refused(request: Request, error: Exception) -> Response:
    """What Starlette or a route says no to."""
    assert isinstance(error, HTTPException)
    texts = {404: "There is nothing at this address.", 405: "This method is not allowed here."}
    own = error.detail if error.detail.endswith(".") else ""
    said = own or texts.get(error.status_code, "The studio cannot do this.")
    return JSONResponse({"error": said}, error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """What the library says no to, and what nobody has thought of."""
    status = (
        422 if isinstance(error, MattingError) else 507 if isinstance(error, MemoryError) else 500
    )
    if status == 500 and not isinstance(error, ClientDisconnect):
        traceback.print_exception(error, file=sys.stderr)
    return JSONResponse({"error": sentence(error)}, status)
