"""Routes of pictures: opening, showing and forgetting them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deepmatte.errors import SubjectError
from deepmatte.studio import outputs
from deepmatte.studio.pictures import OpenPicture
from deepmatte.studio.state import State
from deepmatte.subject import segmenters
from deepmatte.subject.segmenters import Hints
from deepmatte.version import __version__


@dataclass(frozen=True)
class PictureRoutes:
    """Routes of pictures.

    Attributes:
        state: what all routes share.
    """

    state: State

    @property
    def routes(self) -> list[Route]:
        """All of them."""
        one = "/pictures/{id}"
        return [
            Route("/start", self.start),
            Route("/segmenter", self.segmenter),
            Route("/sample", self.sample),
            Route("/pictures", self.open, methods=["POST"]),
            Route(one, self.close, methods=["DELETE"]),
            Route(f"{one}/file", self.file),
            Route(f"{one}/view", self.view),
        ]

    async def start(self, request: Request) -> Response:
        """The version, and the picture named on the command line."""
        first = self.state.pictures.find(self.state.first)
        described = None if first is None else _described(first)
        return JSONResponse({"version": __version__, "picture": described})

    async def segmenter(self, request: Request) -> Response:
        """The name of the segmenter that finds subjects by itself, or null.

        To look for it may import large packages, so nothing else waits for it.
        """
        name = await anyio.to_thread.run_sync(_segmenter, abandon_on_cancel=True)
        return JSONResponse({"subject": name})

    async def sample(self, request: Request) -> Response:
        """A picture to try it with."""
        file = resources.files("deepmatte") / "samples" / "fur.jpg"
        return Response(file.read_bytes(), media_type="image/jpeg")

    async def open(self, request: Request) -> Response:
        """A picture's file."""
        name = request.query_params.get("name", "")
        return JSONResponse(_described(await self.state.open(request, name)), 201)

    async def close(self, request: Request) -> Response:
        """Forgets a picture."""
        self.state.pictures.remove(self.state.picture(request).id)
        return Response(status_code=204)

    async def file(self, request: Request) -> Response:
        """A picture's file as it came."""
        return Response(self.state.picture(request).file, media_type="application/octet-stream")

    async def view(self, request: Request) -> Response:
        """A picture as a browser shows it."""
        with self.state.gate.room():
            data, media_type = await self.state.work(outputs.view, self.state.picture(request))
        return Response(data, media_type=media_type)


def _described(picture: OpenPicture) -> dict[str, Any]:
    area = picture.area
    size = {"width": area.width, "height": area.height}
    transparent = picture.picture.alpha is not None
    return {"id": picture.id, "name": picture.name, **size, "alpha": transparent}


@functools.cache
def _segmenter() -> str | None:
    """The name of the segmenter that finds subjects without a hint; None if there is none."""
    try:
        return segmenters.choose(Hints())
    except SubjectError:
        return None
