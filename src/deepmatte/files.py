"""Bytes in and whole files out, for pictures, tables and ledgers alike.

A file is written through a temporary one in the same folder and a rename, so that a reader, or a
program started after a power cut, finds the old file or the new one and never half of one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from deepmatte.errors import ImageError


def read_bytes(source: Any) -> bytes:
    """Read all of a picture file given as a path, as bytes, or as an open binary stream.

    Raises:
        ImageError: it is something else, missing, a folder, unreadable, or empty.
    """
    name = name_of(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data: Any = bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        try:
            data = Path(source).read_bytes()
        except FileNotFoundError as error:
            raise ImageError(f"{name} does not exist.") from error
        except IsADirectoryError as error:
            raise ImageError(f"{name} is a folder; expected a picture file.") from error
        except (OSError, ValueError) as error:
            raise ImageError(f"{name} cannot be opened: {reason_of(error)}.") from error
    elif hasattr(source, "read"):
        try:
            data = source.read()
        except (OSError, ValueError) as error:
            raise ImageError(f"{name} cannot be read: {reason_of(error)}.") from error
        if not isinstance(data, (bytes, bytearray)):
            raise ImageError(f"{name} is a text stream; expected a binary one.")
    else:
        raise ImageError(
            f"A {type(source).__name__} is no picture; expected a path, bytes, a binary stream, a"
            " Pillow image or a NumPy array."
        )
    if not data:
        raise ImageError(f"{name} is empty; expected a picture.")
    return bytes(data)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file, whole or not at all; one that exists is replaced in one step.

    Raises:
        OSError: there is no such folder, no permission, no space, ...; nothing is left behind.
    """
    target = os.path.realpath(path)  # a link stays a link, and its file is replaced
    if os.path.isdir(target):
        raise IsADirectoryError(0, "it is a folder")
    if os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode):
        with open(target, "wb") as device:  # a pipe or a device: renaming would destroy it
            device.write(data)
        return
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(0, f"the folder {folder} does not exist")
    temporary = os.path.join(folder, f".deepmatte-{secrets.token_hex(6)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)  # less the umask, as any other new file
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def name_of(thing: Any) -> str:
    """What an error message calls a source or a target."""
    if isinstance(thing, (str, os.PathLike)):
        return str(os.fspath(thing)) or "The empty path"
    if isinstance(thing, (bytes, bytearray, memoryview)):
        return f"The picture given as {len(thing)} bytes"
    name = getattr(thing, "name", None)
    return f"The stream {name}" if isinstance(name, str) else "The stream"


def reason_of(error: BaseException) -> str:
    """The library's or the system's own words, fit to end a sentence with."""
    text = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).strip()
    return (text.splitlines() or [type(error).__name__])[0].rstrip(".")
