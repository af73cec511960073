"""The state that the routes share: the open pictures, the work on them, and their limits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

from deepmatte.errors import ImageError
from deepmatte.images import open_image
from deepmatte.images.files import name_of
from deepmatte.matting import Matter
from deepmatte.studio import outputs
from deepmatte.studio.live import Live
from deepmatte.studio.open_pictures import OpenPictures
from deepmatte.studio.pictures import OpenPicture
from deepmatte.studio.requests import FILE, Gate
from deepmatte.studio.whole import Settled
from deepmatte.subject import find_subject
from deepmatte.subject.segmenters import Mask

Result = TypeVar("Result")

# Pictures decoded or encoded at a time, beside the matting.
_AT_A_TIME = 2


class State:
    """What the routes share.

    Args:
        matter: the network.
        memory: bytes that the open pictures may hold.
        first: the picture that the page opens by itself: its bytes and its name.

    Attributes:
        matter: the network.
        pictures: the open ones.
        live: answers edits; its `run` has to be running.
        gate: limits the requests at a time.
        first: the id of the picture that the page opens by itself; "" if there is none.
    """

    def __init__(self, matter: Matter, memory: int, first: tuple[bytes, str] | None) -> None:
        self.matter = matter
        self.pictures, self.live, self.gate = OpenPictures(memory), Live(matter), Gate()
        self.first = ""
        self._limit = anyio.CapacityLimiter(_AT_A_TIME)
        self._finding = anyio.CapacityLimiter(1)
        if first is not None:
            picture = opened(*first)
            self.pictures.add(picture)
            self.first = picture.id

    @contextlib.asynccontextmanager
    async def file(self, request: Request) -> AsyncIterator[bytes]:
        """A picture's file in a request, and room for it; one that is too large is refused."""
        async with self.gate.body(request, FILE) as file:
            await self.work(self.pictures.admit, file)
            yield file

    async def open(self, request: Request, name: str) -> OpenPicture:
        """Open the picture in a request; its memory is reserved before it is decoded.

        Raises:
            ImageError: it cannot be read, or takes more than all pictures may.
            HTTPException: there is no room at the moment (503).
        """
        async with self.gate.body(request, FILE) as file:
            size = await self.work(self.pictures.admit, file)
            with self.pictures.room(size):
                picture = await self.work(opened, file, name)
            self.pictures.add(picture)
        return picture

    def picture(self, request: Request) -> OpenPicture:
        """The picture that the path names.

        Raises:
            HTTPException: it is not held (404).
        """
        picture = self.pictures.find(request.path_params["id"])
        if picture is None:
            raise forgotten()
        return picture

    async def settled(self, request: Request, picture: OpenPicture) -> Settled:
        """A picture's whole matte, once it is there.

        Raises:
            HTTPException: the picture was removed meanwhile, or nobody waits (404).
            MattingError, MemoryError: the reason why there is none.
        """
        settled = await self.live.settled(picture, request.is_disconnected)
        if settled is None:
            raise forgotten()
        return settled

    async def work(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The result of a function that runs in a thread; only some run at a time."""
        # At shutdown the server does not wait for work that cannot be cancelled.
        return await anyio.to_thread.run_sync(
            function, *arguments, abandon_on_cancel=True, limiter=self._limit
        )

    async def find(self, picture: OpenPicture) -> Mask:
        """A rough mask of a picture's subject.

        A segmenter is loaded first, which may take a minute, so no other work waits for it.

        Raises:
            SubjectError: no segmenter is ready, or it finds nothing.
        """
        return await anyio.to_thread.run_sync(
            find_subject, picture.picture, abandon_on_cancel=True, limiter=self._finding
        )


def opened(file: bytes, name: str) -> OpenPicture:
    """A picture of a file's bytes.

    Raises:
        ImageError: it cannot be read; the message has its name.
    """
    name = outputs.clean_name(name)
    try:
        return OpenPicture(file, name, open_image(file))
    except ImageError as error:  # which does not know the name
        raise ImageError(str(error).replace(name_of(file), name)) from error


def forgotten() -> HTTPException:
    """What is said of a picture that is not held."""
    return HTTPException(404, "The studio does not have this picture any more.")
