"""Answers edits: first from their surroundings, then from the whole picture."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from deepmatte.errors import MattingError
from deepmatte.matting import Matter
from deepmatte.studio.frames import frame, pixels
from deepmatte.studio.pictures import OpenPicture
from deepmatte.studio.rectangle import Rectangle
from deepmatte.studio.refine import Refinement
from deepmatte.studio.whole import Settled
from deepmatte.studio.workers import BROKEN, Workers, in_thread, wait
from deepmatte.types import Trimap

# Seconds between two checks of the progress.
_TICK = 0.2
# Largest side of a piece of a local answer that is sent at once, pixels.
_PIECE = 1024


class Live:
    """Answers edits; `run` has to be running.

    Args:
        matter: the network.
    """

    def __init__(self, matter: Matter) -> None:
        self._workers = Workers(matter)

    async def run(self) -> None:
        """Work, until cancelled."""
        await self._workers.run()

    def edit(
        self,
        picture: OpenPicture,
        area: Rectangle,
        labels: Trimap,
        have: int,
        refinement: Refinement,
    ) -> int:
        """Take in an edit, see `OpenPicture.edit`; the work begins. Returns its version."""
        painted = picture.painted
        version = picture.edit(area, labels, have, refinement)
        self._workers.edited(picture, repainted=picture.painted != painted)
        return version

    async def answers(self, picture: OpenPicture, version: int) -> AsyncIterator[bytes]:
        """The frames that answer an edit, until a newer one comes or the picture is removed.

        First local answers, then the progress, then every tile of the whole picture that may differ
        from the page's.
        """
        share = 0.0
        whole = picture.whole
        with self._workers.wanted(picture):
            while picture.version == version:
                news = picture.news()
                for area in picture.shown.fresh():
                    for piece in area.tiles(_PIECE):
                        if picture.version != version:
                            return  # the newer answer sends the area
                        yield await in_thread(pixels, picture, piece, False)
                if whole.failure is not None:
                    yield frame(kind="error", error=sentence(whole.failure))
                    return
                if whole.settled is not None:
                    async for sent in _settled(picture, whole.settled, version):
                        yield sent
                    return
                if whole.progress is not None and whole.progress.share != share:
                    share = whole.progress.share
                    yield frame(kind="progress", share=round(share, 3))
                await wait(news, _TICK)

    async def settled(
        self, picture: OpenPicture, gone: Callable[[], Awaitable[bool]]
    ) -> Settled | None:
        """Wait until the picture has its matte.

        Args:
            picture: which.
            gone: whether nobody waits for it any more.

        Returns:
            It; None if the picture was removed meanwhile, or nobody waits.

        Raises:
            MattingError, MemoryError: the reason why there is none.
        """
        whole = picture.whole
        with self._workers.wanted(picture):
            self._workers.hurry(picture)
            while whole.settled is None:
                if whole.failure is not None:
                    raise whole.failure
                news = picture.news()
                await wait(news, _TICK)
                if picture.closed or await gone():
                    return None
            return whole.settled


async def _settled(picture: OpenPicture, settled: Settled, version: int) -> AsyncIterator[bytes]:
    """The frames that end an answer: notes, tiles that the page may lack, and its number."""
    if settled.matte.notes:
        yield frame(kind="notes", notes=settled.matte.notes)
    for tile in picture.shown.unsure():
        if picture.version != version:
            return
        yield await in_thread(pixels, picture, tile, True)
    picture.shown.sent(version)
    yield frame(kind="done", answer=version)


def sentence(error: Exception) -> str:
    """The message of an error for the user."""
    if isinstance(error, MattingError):
        text = str(error)
        return text if text.endswith(".") else f"{text}."
    if isinstance(error, MemoryError):
        return "There is not enough memory for this picture."
    return BROKEN
