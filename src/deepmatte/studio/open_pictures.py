"""The open pictures, within a memory limit."""

from __future__ import annotations

from deepmatte.errors import ImageError
from deepmatte.images import read_size
from deepmatte.studio.pictures import HELD, OpenPicture

# The least that a pixel's colours take, bytes.
_LEVELS = 3


class OpenPictures:
    """The open pictures; the least recently used ones are dropped when the memory is full.

    Args:
        memory: bytes that all of them may hold.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._pictures: dict[str, OpenPicture] = {}  # those used last come last

    def admit(self, file: bytes) -> None:
        """Refuse a file before it is decoded.

        Raises:
            ImageError: what is in it would take more than all pictures may.
        """
        try:
            width, height = read_size(file)
        except ImageError:  # opening it says what is wrong, and knows the picture's name
            return
        self._check((height, width), len(file) + (_LEVELS + HELD) * width * height)

    def _check(self, size: tuple[int, int], taken: int) -> None:
        if taken > self._memory:
            raise ImageError(
                f"A picture of {size[1]} x {size[0]} pixels takes {taken / 1e9:.1f} GB; the studio"
                f" may take {self._memory / 1e9:.1f} GB (--memory)."
            )

    def add(self, picture: OpenPicture) -> None:
        """Keep a picture; others may be dropped.

        Raises:
            ImageError: it alone exceeds the limit.
        """
        self._check(picture.picture.shape, picture.bytes)
        while sum(held.bytes for held in self._pictures.values()) + picture.bytes > self._memory:
            self.remove(next(iter(self._pictures)))
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
        return picture is not None
