"""Bytes in and whole files out, for pictures, tables and ledgers alike.

A file is written under a temporary name in the same folder and then renamed. So a reader, or a
program started after a power cut, finds the old file or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import select
import stat
from collections.abc import Sequence
from typing import Any, BinaryIO

from deepmatte.arguments import shown
from deepmatte.errors import ImageError

_ADDRESS = re.compile(r"(?:https?|ftp|s3|data|file):", re.IGNORECASE)


def read_bytes(source: Any) -> bytes:
    """Read all of a picture file given as a path, as bytes, or as an open binary stream.

    Raises:
        ImageError: the source has another type, or the file is missing, a folder, unreadable, or
            empty.
    """
    name = name_of(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data: Any = bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        check_there(source)
        try:
            with open(expanded(source), "rb") as file:
                data = file.read()
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
        hint = " (.numpy() makes one)" if hasattr(source, "numpy") else ""
        raise ImageError(
            f"Something of type {type(source).__name__} is no picture; expected a path, bytes, a"
            f" binary stream, a Pillow image or a NumPy array{hint}."
        )
    if not data:
        given = isinstance(source, (bytes, bytearray, memoryview))
        raise ImageError(f"{'What was given' if given else name} is empty; expected a picture.")
    return bytes(data)


def check_there(path: str | os.PathLike[str]) -> None:
    """Say what is wrong with a path that leads to nothing.

    Raises:
        ImageError: it does, or is an address on the internet.
    """
    if _ADDRESS.match(os.fsdecode(path)) and not os.path.exists(path):
        raise ImageError(
            f"{path} is an address on the internet, and nothing is downloaded here; save the"
            " picture first and name its file."
        )
    strange = "\0" in os.fsdecode(path) or not os.fspath(path)  # opening it says what is wrong
    if not strange and not os.path.lexists(expanded(path)):
        raise ImageError(f"{path} does not exist.")


def expanded(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """A path whose ``~`` is the home folder, unless there is a file of that name."""
    text = os.fspath(path)
    if isinstance(text, str) and text.startswith("~") and not os.path.lexists(text):
        return os.path.expanduser(text)
    return path


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write one file; see `write_files`."""
    write_files([(path, data)])


def write_files(contents: Sequence[tuple[Any, bytes]]) -> None:
    """Write several files, each whole or not at all; those that exist are replaced in one step.

    First everything goes to temporary files, then streams, pipes and devices are written, and only
    then the temporary files get their names. So a missing permission, a full disk or a closed pipe
    leaves nothing behind. Only if a rename fails do the files before it stay.

    Args:
        contents: pairs of a path or an open binary stream and what to write there.

    Raises:
        ImageError: there is no such folder, no permission, no space, ...
    """
    for out, _ in contents:
        if not (isinstance(out, (str, os.PathLike)) or hasattr(out, "write")):
            raise ImageError(f"The output is {shown(out)}; expected a path or a binary stream.")
    contents = [
        (expanded(target) if isinstance(target, (str, os.PathLike)) else target, data)
        for target, data in contents
    ]
    staged: list[tuple[Any, str, str]] = []  # target, temporary file, file to be replaced
    target: Any = None
    try:
        for target, data in contents:
            if _is_replaceable(target):
                real = os.path.realpath(target)  # a link stays, its file is replaced
                name = f".deepmatte-{secrets.token_hex(6)}.part"
                staged.append((target, os.path.join(os.path.dirname(real), name), real))
                _write_new(staged[-1][1], data, real)
        for target, data in contents:
            if not _is_replaceable(target):
                _write_through(target, data)
        for target, temporary, real in staged:  # noqa: B007 (an error names it)
            os.replace(temporary, real)
    except BaseException as error:
        for _, temporary, _ in staged:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, (OSError, ValueError, TypeError, AttributeError)):
            raise ImageError(f"{name_of(target)} cannot be written: {reason_of(error)}.") from error
        raise


def _is_replaceable(target: Any) -> bool:
    """Whether a target is a plain file or does not exist; replacing would destroy a pipe or a
    device.
    """
    if not isinstance(target, (str, os.PathLike)):
        return False
    real = os.path.realpath(target)
    try:
        mode = os.stat(real).st_mode
    except FileNotFoundError:
        folder = os.path.dirname(real)
        if not os.path.isdir(folder):
            raise FileNotFoundError(0, f"the folder {folder} does not exist") from None
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder")
    return stat.S_ISREG(mode)


def _write_new(path: str, data: bytes, like: str) -> None:
    """Write a temporary file that will replace ``like``, with the same permissions."""
    if hasattr(os, "O_TMPFILE"):
        # On Linux a file gets its name when it is complete, so a killed process leaves nothing
        # behind. Not every file system supports that.
        with contextlib.suppress(OSError):
            descriptor = os.open(os.path.dirname(path), os.O_WRONLY | os.O_TMPFILE, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                _fill(file, data, like)
                # `os.link` follows the link in /proc only where it is given a descriptor, too.
                os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
            return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:  # less the umask, as any new file
        _fill(file, data, like)


def _fill(file: BinaryIO, data: bytes, like: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # there is none yet, or Windows
        os.fchmod(file.fileno(), stat.S_IMODE(os.stat(like).st_mode))
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def _write_through(target: Any, data: bytes) -> None:
    if isinstance(target, (str, os.PathLike)):
        with open(target, "wb") as device:
            device.write(data)
        return
    rest = memoryview(data)
    while rest:
        # A raw stream, such as a pipe without a buffer, may take less than it is given.
        taken = target.write(rest)
        if taken is None and isinstance(target, io.RawIOBase):
            select.select([], [target], [])  # one that does not block, and is full
            continue
        rest = rest[len(rest) if taken is None else taken :]
    if hasattr(target, "flush"):
        target.flush()


def name_of(thing: Any) -> str:
    """What an error message calls a source or a target."""
    if isinstance(thing, (str, os.PathLike)):
        return str(os.fspath(thing)) or "The empty path"
    if isinstance(thing, (bytes, bytearray, memoryview)):
        return f"The picture given as {len(thing)} bytes"
    name = getattr(thing, "name", None)
    return f"The stream {name}" if isinstance(name, str) else "The stream"


def reason_of(error: BaseException) -> str:
    """The library's or the system's own message, usable at the end of a sentence."""
    text = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).strip()
    return (text.splitlines() or [type(error).__name__])[0].rstrip(".")
