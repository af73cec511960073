"""The studio's server: the page and its API."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import mimetypes
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from deepmatte import trimap
from deepmatte.errors import ImageError, MattingError, SubjectError
from deepmatte.images import open_image
from deepmatte.images.files import name_of
from deepmatte.matting import Matter
from deepmatte.studio import outputs
from deepmatte.studio.again import look_again, side_of
from deepmatte.studio.connections import stay_quiet
from deepmatte.studio.guard import Guard
from deepmatte.studio.live import Live, sentence
from deepmatte.studio.pictures import OpenPicture, OpenPictures, Settled
from deepmatte.studio.rectangle import Rectangle
from deepmatte.studio.refine import Refinement
from deepmatte.studio.requests import FILE, TEXT, Gate, choice, fields, integer, labels, number
from deepmatte.studio.tidy import without_holes, without_islands
from deepmatte.subject import find_subject, segmenters
from deepmatte.subject.segmenters import Hints
from deepmatte.version import __version__

Result = TypeVar("Result")

PAGE = Path(__file__).parent / "page"
WIDEST = 1000
"""Pixels by which a band may be widened."""
# Pictures decoded, encoded or segmented at a time, beside the matting.
_AT_A_TIME = 2
# Limits for a background's position and scale.
_FAR, _LARGEST = 1_000_000.0, 100.0
# Pixels by which an edge may be smoothed or feathered.
_SOFTEST = 100.0


class Studio:
    """State that the routes share.

    Args:
        matter: the network.
        memory: bytes that the open pictures may hold.
        first: the picture that the page opens by itself: its bytes and its name.
    """

    def __init__(self, matter: Matter, memory: int, first: tuple[bytes, str] | None = None) -> None:
        self._pictures, self._live, self._gate = OpenPictures(memory), Live(matter), Gate()
        self._limit = anyio.CapacityLimiter(_AT_A_TIME)
        self._first = ""  # its id
        if first is not None:
            picture = _opened(*first)
            self._pictures.add(picture)
            self._first = picture.id

    def app(self, port: int, token: str) -> ASGIApp:
        """The application, for the server at this port."""
        # Windows may register another type, with which browsers refuse modules.
        mimetypes.add_type("text/javascript", ".js")
        one = "/pictures/{id}"
        routes = [
            Route("/start", self.start),
            Route("/segmenter", self.segmenter),
            Route("/sample", self.sample),
            Route("/pictures", self.open, methods=["POST"]),
            Route(one, self.close, methods=["DELETE"]),
            Route(f"{one}/file", self.file),
            Route(f"{one}/view", self.view),
            Route(f"{one}/trimap/box", self.box, methods=["POST"]),
            Route(f"{one}/trimap/strokes", self.strokes, methods=["POST"]),
            Route(f"{one}/trimap/subject", self.subject, methods=["POST"]),
            Route(f"{one}/trimap/alpha", self.alpha, methods=["POST"]),
            Route(f"{one}/trimap/file", self.trimap, methods=["POST"]),
            Route(f"{one}/trimap/band", self.band, methods=["POST"]),
            Route(f"{one}/trimap/clean", self.clean, methods=["POST"]),
            Route(f"{one}/trimap/again", self.again, methods=["POST"]),
            Route(f"{one}/edits", self.edit, methods=["POST"]),
            Route(f"{one}/download", self.download),
            Route(f"{one}/composite", self.composite, methods=["POST"]),
            Route(f"{one}/surroundings", self.surroundings),
        ]
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
        app = Starlette(routes=mounts, exception_handlers=handlers, lifespan=self._lifespan)
        return Guard(app, port=port, token=token)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        stay_quiet(asyncio.get_running_loop())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._live.run)
            yield
            tasks.cancel_scope.cancel()

    # --- pictures -----------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        """The version, and the picture named on the command line."""
        first = self._pictures.find(self._first)
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
        async with self._file(request) as file:
            picture = await self._work(_opened, file, name)
        self._pictures.add(picture)
        return JSONResponse(_described(picture), 201)

    async def close(self, request: Request) -> Response:
        """Forgets a picture."""
        self._pictures.remove(self._picture(request).id)
        return Response(status_code=204)

    async def file(self, request: Request) -> Response:
        """A picture's file as it came."""
        return Response(self._picture(request).file, media_type="application/octet-stream")

    async def view(self, request: Request) -> Response:
        """A picture as a browser shows it."""
        with self._gate.room():
            data, media_type = await self._work(outputs.view, self._picture(request))
        return Response(data, media_type=media_type)

    # --- trimaps ------------------------------------------------------------------------------

    async def box(self, request: Request) -> Response:
        """The labels of what is found in a rectangle."""
        picture = self._picture(request)
        async with self._gate.body(request, TEXT) as body:
            found = fields(body)
        sides = tuple(found.get(side) for side in ("left", "top", "right", "bottom"))
        if not all(type(side) is int for side in sides):
            raise HTTPException(422, "Expected whole numbers: left, top, right and bottom.")
        made = await self._work(trimap.from_box, picture.picture.levels, sides)
        return _labels(made)

    async def strokes(self, request: Request) -> Response:
        """The labels of what grows from strokes."""
        picture = self._picture(request)
        async with self._gate.body(request, picture.area.pixels) as body:
            marked = labels(body, picture.area)
            made = await self._work(trimap.from_scribbles, picture.picture.levels, marked)
        return _labels(made)

    async def subject(self, request: Request) -> Response:
        """The labels of what a segmenter takes for the subject."""
        picture = self._picture(request)
        with self._gate.room():
            return _labels(await self._work(_subject_of, picture))

    async def alpha(self, request: Request) -> Response:
        """The labels of the picture's own transparency."""
        picture = self._picture(request)
        if picture.picture.alpha is None:
            raise HTTPException(422, "This photo is not transparent anywhere.")
        with self._gate.room():
            return _labels(await self._work(trimap.from_alpha, picture.picture.alpha))

    async def trimap(self, request: Request) -> Response:
        """The labels in a file: a trimap's, or of a mask's edges."""
        picture = self._picture(request)
        kind = choice(request, "kind", ("trimap", "mask"))
        width = integer(request, "width", 0, 2 * WIDEST, -1)
        resize = bool(integer(request, "resize", 0, 1, 0))
        async with self._file(request) as file:
            made = await self._work(
                _trimap_of,
                file,
                request.query_params.get("name", kind),
                kind,
                None if width < 0 else width,
                resize,
                picture.picture.shape,
            )
        return _labels(made)

    async def band(self, request: Request) -> Response:
        """The labels with a wider or a narrower unknown band."""
        picture = self._picture(request)
        pixels = integer(request, "pixels", -WIDEST, WIDEST)
        async with self._gate.body(request, picture.area.pixels) as body:
            made = await self._work(trimap.widen, labels(body, picture.area), pixels)
        return _labels(made)

    async def clean(self, request: Request) -> Response:
        """The labels without small holes in the subject, or without islands beside it."""
        picture = self._picture(request)
        what = choice(request, "what", ("holes", "islands"))
        tidy = without_holes if what == "holes" else without_islands
        async with self._gate.body(request, picture.area.pixels) as body:
            made = await self._work(tidy, labels(body, picture.area))
        return _labels(made)

    async def again(self, request: Request) -> Response:
        """The labels of a rectangle, the edge looked for again around a stroke in it.

        The body holds the rectangle's labels without the stroke, then 255 for each pixel that the
        stroke covers and 0 for the others. No content: the stroke asks for nothing.
        """
        picture = self._picture(request)
        area = _area(request, picture)
        keep = choice(request, "mark", ("keep", "remove")) == "keep"
        async with self._gate.body(request, 2 * area.pixels) as body:
            before = labels(body[: area.pixels], area)
            stroke = labels(body[area.pixels :], area) == trimap.FOREGROUND
            if not stroke.any():
                raise HTTPException(422, "Expected a stroke; there is none.")
            side = side_of(picture.picture.shape)
            part = picture.picture.crop(area.window).levels
            made = await self._work(look_again, part, before, stroke, keep, side)
        return Response(status_code=204) if made is None else _labels(made)

    # --- results ------------------------------------------------------------------------------

    async def edit(self, request: Request) -> Response:
        """The frames with what changes by the labels of a rectangle."""
        picture = self._picture(request)
        area = _area(request, picture)
        have = integer(request, "have", 0, 999_999_999, 0)
        async with self._gate.body(request, area.pixels) as body:
            painted = labels(body, area)
        if picture.closed:
            raise _forgotten()
        version = self._live.edit(picture, area, painted, have, _refinement(request))
        frames = self._live.answers(picture, version)
        return StreamingResponse(frames, media_type="application/octet-stream")

    async def download(self, request: Request) -> Response:
        """A result as a file."""
        picture = self._picture(request)
        kind = choice(request, "kind", outputs.KINDS)
        wanted = _wanted(request)
        with self._gate.room():
            settled = await self._settled(request, picture)
            data = await self._work(outputs.encoded, picture, settled, kind, wanted)
        return _download(picture, data, kind, wanted.ending)

    async def composite(self, request: Request) -> Response:
        """The subject on a colour or on a picture, as a file."""
        picture = self._picture(request)
        wanted = _wanted(request)
        if request.headers.get("content-type", "").startswith("application/json"):
            async with self._gate.body(request, TEXT) as body:
                background = fields(body).get("background")
                settled = await self._settled(request, picture)
                data = await self._work(outputs.composite, picture, settled, background, wanted)
        else:
            place = _place(request)
            async with self._file(request) as file:
                settled = await self._settled(request, picture)
                data = await self._work(
                    outputs.composite_on_picture, picture, settled, file, place, wanted
                )
        return _download(picture, data, "composite", wanted.ending)

    async def surroundings(self, request: Request) -> Response:
        """The photo's own background, blurred, as a page shows it."""
        picture = self._picture(request)
        percent = number(request, "percent", 0, 20, 3)
        with self._gate.room():
            settled = await self._settled(request, picture)
            data = await self._work(outputs.surroundings_shown, picture, settled, percent)
        return Response(data, media_type="image/jpeg")

    # --- beneath ------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _file(self, request: Request) -> AsyncIterator[bytes]:
        """A picture's file in a request, and room for it; one that is too large is refused."""
        async with self._gate.body(request, FILE) as file:
            await self._work(self._pictures.admit, file)
            yield file

    def _picture(self, request: Request) -> OpenPicture:
        picture = self._pictures.find(request.path_params["id"])
        if picture is None:
            raise _forgotten()
        return picture

    async def _settled(self, request: Request, picture: OpenPicture) -> Settled:
        settled = await self._live.settled(picture, request.is_disconnected)
        if settled is None:
            raise _forgotten()
        return settled

    async def _work(self, function: Callable[..., Result], *arguments: Any) -> Result:
        # At shutdown the server does not wait for work that cannot be cancelled.
        return await anyio.to_thread.run_sync(
            function, *arguments, abandon_on_cancel=True, limiter=self._limit
        )


def _opened(file: bytes, name: str) -> OpenPicture:
    name = outputs.clean_name(name)
    try:
        return OpenPicture(file, name, open_image(file))
    except ImageError as error:  # which does not know the name
        raise ImageError(str(error).replace(name_of(file), name)) from error


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


def _subject_of(picture: OpenPicture) -> trimap.Trimap:
    return trimap.from_rough_mask(find_subject(picture.picture))


def _area(request: Request, picture: OpenPicture) -> Rectangle:
    """The rectangle that the query names."""
    height, width = picture.picture.shape
    left = integer(request, "left", 0, width - 1)
    top = integer(request, "top", 0, height - 1)
    return Rectangle(
        left,
        top,
        left + integer(request, "width", 1, width - left),
        top + integer(request, "height", 1, height - top),
    )


def _wanted(request: Request) -> outputs.Wanted:
    """What the query wants a file to be like."""
    query = request.query_params
    return outputs.Wanted(
        ending=choice(request, "format", tuple(outputs.FORMATS)),
        depth=16 if integer(request, "depth", 8, 16, 8) == 16 else 8,
        margin=integer(request, "margin", 0, 10_000) if "margin" in query else None,
        longest=integer(request, "longest", 1, 100_000) if "longest" in query else None,
        quality=integer(request, "quality", 1, 100) if "quality" in query else None,
        shadow=number(request, "shadow", 0, 1, 0),
    )


def _refinement(request: Request) -> Refinement:
    """What the query wants to be done to the edge."""
    return Refinement(
        number(request, "smooth", 0, _SOFTEST, 0),
        number(request, "feather", 0, _SOFTEST, 0),
        number(request, "shift", -100, 100, 0),
        number(request, "contrast", 0, 100, 0),
        number(request, "decontaminate", 0, 100, 100),
    )


def _place(request: Request) -> tuple[float, float, float] | None:
    """Where the query wants a background; None if it says nothing."""
    if not {"left", "top", "scale"} & request.query_params.keys():
        return None
    return (
        number(request, "left", -_FAR, _FAR, 0),
        number(request, "top", -_FAR, _FAR, 0),
        number(request, "scale", 1 / _LARGEST, _LARGEST, 1),
    )


def _trimap_of(
    file: bytes, name: str, kind: str, width: int | None, resize: bool, shape: tuple[int, int]
) -> trimap.Trimap:
    """The labels of a file.

    Raises:
        HTTPException: it has another size than the photo, and is not to be resized (409).
    """
    made = trimap.open_trimap(file) if kind == "trimap" else trimap.from_mask(file, width=width)
    if made.shape != shape and not resize:
        raise HTTPException(
            409,
            f"{outputs.clean_name(name)} is {made.shape[1]} \u00d7 {made.shape[0]} pixels, but the"
            f" photo is {shape[1]} \u00d7 {shape[0]}.",
        )
    return trimap.open_trimap(made, shape, resize=resize)


def _labels(made: trimap.Trimap) -> Response:
    return Response(made.tobytes(), media_type="application/octet-stream")


def _download(picture: OpenPicture, data: bytes, what: str, ending: str) -> Response:
    headers = {"Content-Disposition": outputs.disposition(picture.name, what, ending)}
    return Response(data, media_type=outputs.FORMATS[ending], headers=headers)


def _forgotten() -> HTTPException:
    return HTTPException(404, "The studio does not hold this picture, or no longer.")


async def _refused(request: Request, error: Exception) -> Response:
    """What Starlette or a route says no to."""
    assert isinstance(error, HTTPException)
    texts = {404: "There is nothing here.", 405: "This cannot be done here."}
    own = error.detail if error.detail.endswith(".") else ""
    said = own or texts.get(error.status_code, "This cannot be done.")
    return JSONResponse({"error": said}, error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """What the library says no to, and what nobody has thought of."""
    status = (
        422 if isinstance(error, MattingError) else 507 if isinstance(error, MemoryError) else 500
    )
    if status == 500 and not isinstance(error, ClientDisconnect):
        traceback.print_exception(error, file=sys.stderr)
    return JSONResponse({"error": sentence(error)}, status)
