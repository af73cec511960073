"""Routes of results: the answers to edits, and files to save."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from deepmatte.studio import outputs
from deepmatte.studio.pictures import OpenPicture
from deepmatte.studio.placing import Place
from deepmatte.studio.refine import Refinement
from deepmatte.studio.requests import TEXT, area, choice, fields, integer, labels, number
from deepmatte.studio.state import State, forgotten

# Limits for a background's position and scale.
_FAR, _LARGEST = 1_000_000.0, 100.0
# Pixels by which an edge may be smoothed or feathered.
_SOFTEST = 100.0


@dataclass(frozen=True)
class ResultRoutes:
    """Routes of results.

    Attributes:
        state: what all routes share.
    """

    state: State

    @property
    def routes(self) -> list[Route]:
        """All of them."""
        one = "/pictures/{id}"
        return [
            Route(f"{one}/edits", self.edit, methods=["POST"]),
            Route(f"{one}/download", self.download),
            Route(f"{one}/composite", self.composite, methods=["POST"]),
            Route(f"{one}/surroundings", self.surroundings),
            Route(f"{one}/shadow", self.shadow),
        ]

    async def edit(self, request: Request) -> Response:
        """The frames with what changes by the labels of a rectangle."""
        picture = self.state.picture(request)
        part = area(request, picture.picture.shape)
        have = integer(request, "have", 0, 999_999_999, 0)
        async with self.state.gate.body(request, part.pixels) as body:
            painted = labels(body, part)
        if picture.closed:
            raise forgotten()
        version = self.state.live.edit(picture, part, painted, have, _refinement(request))
        frames = self.state.live.answers(picture, version)
        return StreamingResponse(frames, media_type="application/octet-stream")

    async def download(self, request: Request) -> Response:
        """A result as a file."""
        picture = self.state.picture(request)
        kind = choice(request, "kind", outputs.KINDS)
        wanted = _wanted(request, picture)
        with self.state.gate.room():
            settled = await self.state.settled(request, picture)
            data = await self.state.work(outputs.encoded, picture, settled, kind, wanted)
        return _download(picture, data, kind, wanted.ending)

    async def composite(self, request: Request) -> Response:
        """The subject on a colour or on a picture, as a file."""
        picture = self.state.picture(request)
        wanted = _wanted(request, picture)
        if request.headers.get("content-type", "").startswith("application/json"):
            async with self.state.gate.body(request, TEXT) as body:
                background = fields(body).get("background")
                settled = await self.state.settled(request, picture)
                data = await self.state.work(
                    outputs.composite, picture, settled, background, wanted
                )
        else:
            place = _place(request)
            async with self.state.file(request) as file:
                settled = await self.state.settled(request, picture)
                data = await self.state.work(
                    outputs.composite_on_picture, picture, settled, file, place, wanted
                )
        return _download(picture, data, "composite", wanted.ending)

    async def surroundings(self, request: Request) -> Response:
        """The photo's own background, blurred, as a page shows it."""
        picture = self.state.picture(request)
        percent = number(request, "percent", 0, 20, 3)
        with self.state.gate.room():
            settled = await self.state.settled(request, picture)
            data = await self.state.work(outputs.surroundings_shown, picture, settled, percent)
        return Response(data, media_type="image/jpeg")

    async def shadow(self, request: Request) -> Response:
        """The subject's shadow as a page shows it, and its place: left, top and scale."""
        picture = self.state.picture(request)
        with self.state.gate.room():
            settled = await self.state.settled(request, picture)
            data, place = await self.state.work(outputs.shadow_shown, picture, settled)
        where = f"{place.left:g} {place.top:g} {place.scale:.8f}"
        return Response(data, media_type="image/png", headers={"X-Place": where})


def _wanted(request: Request, picture: OpenPicture) -> outputs.Wanted:
    """What the query wants a file to be like."""
    query = request.query_params
    ending = choice(request, "format", tuple(outputs.FORMATS))
    return outputs.Wanted(
        ending=ending,
        depth=16 if integer(request, "depth", 8, 16, outputs.depth(picture, ending)) == 16 else 8,
        margin=integer(request, "margin", 0, 10_000) if "margin" in query else None,
        longest=integer(request, "longest", 1, 100_000) if "longest" in query else None,
        quality=integer(request, "quality", 1, 100) if "quality" in query else None,
        shadow=number(request, "shadow", 0, 1, 0),
        subject=_place(request, "subject_"),
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


def _place(request: Request, prefix: str = "") -> Place | None:
    """Where the query wants a background, or the subject; None if it says nothing."""
    names = [f"{prefix}{name}" for name in ("left", "top", "scale")]
    if not set(names) & request.query_params.keys():
        return None
    return Place(
        number(request, names[0], -_FAR, _FAR, 0),
        number(request, names[1], -_FAR, _FAR, 0),
        number(request, names[2], 1 / _LARGEST, _LARGEST, 1),
    )


def _download(picture: OpenPicture, data: bytes, what: str, ending: str) -> Response:
    headers = {"Content-Disposition": outputs.disposition(picture.name, what, ending)}
    return Response(data, media_type=outputs.FORMATS[ending], headers=headers)
