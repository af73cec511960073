"""Routes that make trimaps: from a box, strokes, a file, or the present trimap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deepmatte import trimap
from deepmatte.errors import NoSubjectError, SubjectError
from deepmatte.images import Picture, open_mask
from deepmatte.matting import Matter
from deepmatte.studio import outputs
from deepmatte.studio.again import find_edge, look_again, side_of
from deepmatte.studio.requests import TEXT, area, choice, fields, integer, labels
from deepmatte.studio.state import State
from deepmatte.studio.tidy import without_holes, without_islands
from deepmatte.subject import fit_trimap, mask_trimap

WIDEST = 1000
"""Pixels by which a band may be widened."""

_UNUSABLE = "No segmenter is ready that could find the subject"
_BY_HAND = "Draw a box around the subject, or paint over it with Keep and beside it with Remove."


@dataclass(frozen=True)
class TrimapRoutes:
    """Routes that answer with the labels of a trimap, one byte a pixel.

    Attributes:
        state: what all routes share.
    """

    state: State

    @property
    def routes(self) -> list[Route]:
        """All of them."""
        one = "/pictures/{id}"
        return [
            Route(f"{one}/trimap/box", self.box, methods=["POST"]),
            Route(f"{one}/trimap/strokes", self.strokes, methods=["POST"]),
            Route(f"{one}/trimap/subject", self.subject, methods=["POST"]),
            Route(f"{one}/trimap/alpha", self.alpha, methods=["POST"]),
            Route(f"{one}/trimap/file", self.trimap, methods=["POST"]),
            Route(f"{one}/trimap/band", self.band, methods=["POST"]),
            Route(f"{one}/trimap/clean", self.clean, methods=["POST"]),
            Route(f"{one}/trimap/again", self.again, methods=["POST"]),
        ]

    async def box(self, request: Request) -> Response:
        """The labels of what is found in a rectangle."""
        picture = self.state.picture(request)
        async with self.state.gate.body(request, TEXT) as body:
            found = fields(body)
        sides = tuple(found.get(side) for side in ("left", "top", "right", "bottom"))
        if not all(type(side) is int for side in sides):
            raise HTTPException(
                422,
                "The box is incomplete; expected whole numbers for left, top, right and bottom.",
            )
        made = await self.state.work(trimap.from_box, picture.picture.levels, sides)
        return _labels(made)

    async def strokes(self, request: Request) -> Response:
        """The labels of what grows from strokes."""
        picture = self.state.picture(request)
        async with self.state.gate.body(request, picture.area.pixels) as body:
            marked = labels(body, picture.area)
            made = await self.state.work(trimap.from_scribbles, picture.picture.levels, marked)
        return _labels(made)

    async def subject(self, request: Request) -> Response:
        """The labels of what a segmenter takes for the subject."""
        picture = self.state.picture(request)
        with self.state.gate.room():
            try:
                mask = await self.state.find(picture)
            except SubjectError as error:  # which speaks of the command line
                nothing = isinstance(error, NoSubjectError)
                said = "No subject was found in this photo" if nothing else _UNUSABLE
                raise HTTPException(422, f"{said}. {_BY_HAND}") from error
            made = await self.state.work(fit_trimap, picture.picture, mask, self.state.matter)
            return _labels(made)

    async def alpha(self, request: Request) -> Response:
        """The labels of the picture's own transparency."""
        picture = self.state.picture(request)
        if picture.picture.alpha is None:
            raise HTTPException(422, "This photo has no transparent pixels.")
        with self.state.gate.room():
            return _labels(await self.state.work(trimap.from_alpha, picture.picture.alpha))

    async def trimap(self, request: Request) -> Response:
        """The labels in a file: a trimap's, or of a mask's edges."""
        picture = self.state.picture(request)
        kind = choice(request, "kind", ("trimap", "mask"))
        resize = bool(integer(request, "resize", 0, 1, 0))
        name = request.query_params.get("name", kind)
        async with self.state.file(request) as file:
            made = await self.state.work(
                _trimap_of, file, name, kind, resize, picture.picture, self.state.matter
            )
        return _labels(made)

    async def band(self, request: Request) -> Response:
        """The labels with a wider or a narrower unknown band."""
        picture = self.state.picture(request)
        pixels = integer(request, "pixels", -WIDEST, WIDEST)
        async with self.state.gate.body(request, picture.area.pixels) as body:
            made = await self.state.work(trimap.widen, labels(body, picture.area), pixels)
        return _labels(made)

    async def clean(self, request: Request) -> Response:
        """The labels without small holes in the subject, or without islands beside it."""
        picture = self.state.picture(request)
        what = choice(request, "what", ("holes", "islands"))
        tidy = without_holes if what == "holes" else without_islands
        async with self.state.gate.body(request, picture.area.pixels) as body:
            made = await self.state.work(tidy, labels(body, picture.area))
        return _labels(made)

    async def again(self, request: Request) -> Response:
        """The labels of a rectangle, the edge looked for again around a stroke in it.

        The body holds the rectangle's labels without the stroke, then 255 for each pixel that the
        stroke covers and 0 for the others. No content: the stroke asks for nothing.
        """
        picture = self.state.picture(request)
        part = area(request, picture.picture.shape)
        mark = choice(request, "mark", ("keep", "remove", "edge"))
        async with self.state.gate.body(request, 2 * part.pixels) as body:
            before = labels(body[: part.pixels], part)
            stroke = labels(body[part.pixels :], part) == trimap.FOREGROUND
            if not stroke.any():
                raise HTTPException(422, "There is no stroke in the labels; expected one.")
            side = side_of(picture.picture.shape)
            levels = picture.picture.crop(part.window).levels
            if mark == "edge":
                made = await self.state.work(find_edge, levels, before, stroke, side)
            else:
                keep = mark == "keep"
                made = await self.state.work(look_again, levels, before, stroke, keep, side)
        return Response(status_code=204) if made is None else _labels(made)


def _trimap_of(
    file: bytes, name: str, kind: str, resize: bool, picture: Picture, matter: Matter
) -> trimap.Trimap:
    """The labels of a file.

    Raises:
        HTTPException: it has another size than the photo, and is not to be resized (409).
    """
    read = trimap.open_trimap(file) if kind == "trimap" else open_mask(file)
    shape = picture.shape
    if read.shape != shape and not resize:
        raise HTTPException(
            409,
            f"{outputs.clean_name(name)} is {read.shape[1]} \u00d7 {read.shape[0]} pixels, but the"
            f" photo is {shape[1]} \u00d7 {shape[0]}.",
        )
    if kind == "mask":
        return mask_trimap(picture, np.asarray(read, np.float32), matter, resize=resize)
    return trimap.open_trimap(read, shape, resize=resize)


def _labels(made: trimap.Trimap) -> Response:
    return Response(made.tobytes(), media_type="application/octet-stream")
