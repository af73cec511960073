"""The open pictures, within a memory limit."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator

from deepmatte.errors import ImageError
from deepmatte.images import read_size
from deepmatte.studio.pictures import HELD, OpenPicture
from deepmatte.studio.requests import busy

# The least that a pixel's colours take, bytes.
_LEVELS = 3


class OpenPictures:
    """The open pictures; the least recently used ones are dropped when the memory is full.

    What is being decoded counts, and so does a dropped picture until the last request that uses it
    has ended.

    Args:
        memory: bytes that all of them may hold.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._pictures: dict[str, OpenPicture] = {}  # those used last come last
        self._dropped: weakref.WeakSet[OpenPicture] = weakref.WeakSet()
        self._reserved = 0

    def admit(self, file: bytes) -> int:
        """Refuse a file before it is decoded.

        Returns:
            The bytes that what is in it takes at least.

        Raises:
            ImageError: they are more than all pictures may take.
        """
        try:
            width, height = read_size(file)
        except ImageError:  # opening it says what is wrong, and knows the picture's name
            return 0
        taken = len(file) + (_LEVELS + HELD) * width * height
        self._check((height, width), taken)
        return taken

    def _check(self, size: tuple[int, int], taken: int) -> None:
        if taken > self._memory:
            raise ImageError(
                f"A picture of {size[1]} x {size[0]} pixels needs {taken / 1e9:.1f} GB; expected at"
                f" most {self._memory / 1e9:.1f} GB. Start the studio with a larger --memory."
            )

    @contextlib.contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Memory for a picture that is being decoded; others may be dropped for it.

        Args:
            size: bytes, as `admit` tells.

        Raises:
            HTTPException: too much is in use by other requests (503).
        """
        while self._taken() + size > self._memory:
            # A dropped picture that is still used frees nothing yet: the others stay.
            if not self._pictures or self._dropped:
                raise busy()
            self._drop_oldest()
        self._reserved += size
        try:
            yield
        finally:
            self._reserved -= size

    def _taken(self) -> int:
        held = (*self._pictures.values(), *self._dropped)
        return self._reserved + sum(picture.bytes for picture in held)

    def _drop_oldest(self) -> None:
        self.remove(next(iter(self._pictures)))

    def add(self, picture: OpenPicture) -> None:
        """Keep a picture; others may be dropped.

        Raises:
            ImageError: it alone exceeds the limit.
        """
        self._check(picture.picture.shape, picture.bytes)
        while self._pictures and self._taken() + picture.bytes > self._memory:
            self._drop_oldest()
        self._pictures[picture.id] = picture

    def find(self, identity: str) -> OpenPicture | None:
        """The picture with this id; marks it as used."""
        picture = self._pictures.pop(identity, None)
        if picture is not None:
            self._pictures[identity] = picture
        return picture

    def remove(self, identity: str) -> bool:
        """Forget a picture; False if there was none."""
        picture = self._pictures.pop(identity, None)
        if picture is not None:
            picture.close()
            self._dropped.add(picture)  # until nobody has it any more
        return picture is not None
