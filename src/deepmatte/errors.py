"""The errors that deepmatte raises on purpose.

Each has a message of one sentence: what was given, and what was expected.

    MattingError          anything below; catch this one to catch them all
    |-- ImageError        a picture could not be read or written
    |-- TrimapError       a trimap, mask, box or stroke picture does not make sense
    |-- SubjectError      no subject was found, or there is no segmenter that could find it
    |-- ModelError        a network could not be loaded or run (unknown name, bad file, no device)
    `-- DataError         training or evaluation data, or a checkpoint, is missing or malformed

Example:
    try:
        matte = deepmatte.matte("photo.jpg", "trimap.png")
    except deepmatte.MattingError as error:
        print(error)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class MattingError(Exception):
    """The parent of every error that deepmatte raises on purpose."""


class ImageError(MattingError):
    """A picture could not be read or written."""


class TrimapError(MattingError):
    """A trimap, mask, box or stroke picture does not make sense."""


class SubjectError(MattingError):
    """No subject was found, or there is no segmenter that could find it."""


class NoSubjectError(SubjectError):
    """A segmenter has looked for a subject and found none."""


class ModelError(MattingError):
    """A network could not be loaded or run."""


class DataError(MattingError):
    """Training or evaluation data, or a checkpoint, is missing or malformed."""


@contextlib.contextmanager
def named_memory_errors() -> Iterator[None]:
    """Turn OpenCV's own kind of error for exhausted memory into Python's `MemoryError`."""
    try:
        yield
    except Exception as error:
        if "Insufficient memory" in str(error):
            raise MemoryError("There is not enough memory for this picture.") from error
        raise


def printable(text: str) -> str:
    r"""A text fit for a terminal: control characters, of a file's name say, become escapes.

    Example:
        >>> print(printable("photo\x1b[2J.jpg"))
        photo\x1b[2J.jpg
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
