"""Files by their addresses: paths of this machine, and whatever fsspec knows (``s3://...``)."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepmatte.errors import DataError, ImageError
from deepmatte.images.files import reason_of, write_files

# What fsspec's systems call a file's hash or the time of its last change; the best first.
_VERSIONS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated")


class NamedBytes(io.BytesIO):
    """A file's content, which an error message calls by its name."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def is_remote(address: str) -> bool:
    """Whether an address needs fsspec: it names a protocol, as in ``s3://bucket/photo.jpg``."""
    return "://" in address


def joined(address: str, *names: str) -> str:
    """An address below another."""
    return (
        "/".join([address.rstrip("/"), *names])
        if is_remote(address)
        else os.path.join(address, *names)
    )


def source(address: str) -> str | NamedBytes:
    """What `deepmatte.images.open_image` takes: a path, or the content of a remote file.

    Raises:
        ImageError: the remote file cannot be read.
    """
    return NamedBytes(read(address), address) if is_remote(address) else address


def exists(address: str) -> bool:
    """Whether there is such a file.

    Raises:
        DataError: it cannot be asked for.
    """
    system, path = open_system(address)
    try:
        system.invalidate_cache()
        return bool(system.exists(path))
    except Exception as error:  # each of fsspec's systems raises its own
        raise DataError(f"{address} cannot be reached: {reason_of(error)}.") from error


def read(address: str) -> bytes:
    """All of a file.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        system, path = open_system(address)
        data: bytes = system.cat_file(path)
    except FileNotFoundError as error:
        raise ImageError(f"{address} does not exist.") from error
    except DataError:
        raise
    except Exception as error:  # each of fsspec's systems raises its own
        raise ImageError(f"{address} cannot be read: {reason_of(error)}.") from error
    return data


def write(contents: Sequence[tuple[str, bytes]]) -> None:
    """Write files, each whole or not at all; those of this machine all or none.

    Raises:
        ImageError: one cannot be written.
    """
    local = [(address, data) for address, data in contents if not is_remote(address)]
    if local:
        write_files(local)
    for address, data in contents:
        if is_remote(address):
            try:
                system, path = open_system(address)
                system.pipe_file(path, data)  # an object store takes it whole or not at all
            except DataError:
                raise
            except Exception as error:
                raise ImageError(f"{address} cannot be written: {reason_of(error)}.") from error


def remove(address: str) -> None:
    """Remove a file; does nothing where it is not there."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        system, path = open_system(address)
        system.rm_file(path)


def make_folder_of(address: str) -> None:
    """Make the folder that a file is to be written to, where folders are made at all."""
    if not is_remote(address):
        os.makedirs(os.path.dirname(address) or ".", exist_ok=True)


def stamp(path: str) -> str:
    """What differs where a file of this machine has changed: its size and time."""
    try:
        status = os.stat(path)
    except OSError:
        return "missing"
    return f"{status.st_size}:{status.st_mtime_ns}"


def listing(address: str, *, mark: str = "") -> dict[str, str]:
    """The files below a folder: their names relative to it, and what differs if they change.

    That is their size, and their hash or time. Names with a part that begins with a dot are left
    out.

    Args:
        address: of the folder.
        mark: folders below it that hold a file of this name are left out, too.

    Raises:
        DataError: the folder cannot be listed.
    """
    try:
        found = _remote_listing(address) if is_remote(address) else _local_listing(address)
    except DataError:
        raise
    except Exception as error:  # each of fsspec's systems raises its own
        raise DataError(f"{address} cannot be listed: {reason_of(error)}.") from error
    marked = tuple(name.removesuffix(mark) for name in found if mark and name.endswith(f"/{mark}"))
    return {
        name: found[name]
        for name in sorted(found)
        if name
        and not any(part.startswith(".") for part in name.split("/"))
        and not name.startswith(marked)
    }


def _local_listing(folder: str) -> dict[str, str]:
    found = {}
    for where, _, files in os.walk(folder, onerror=_raise):
        for file in files:
            path = os.path.join(where, file)
            found[Path(os.path.relpath(path, folder)).as_posix()] = stamp(path)
    return found


def _raise(error: OSError) -> None:
    raise error


def _remote_listing(address: str) -> dict[str, str]:
    system, root = open_system(address)
    system.invalidate_cache()
    found: dict[str, dict[str, Any]] = system.find(root, detail=True)
    root = root.rstrip("/")
    return {
        path[len(root) :].lstrip("/"): f"{details.get('size')}:{_version(details)}"
        for path, details in found.items()
    }


def _version(details: dict[str, Any]) -> str:
    """A file's hash, or when it was changed: each of fsspec's systems calls it by another name."""
    for name in _VERSIONS:
        if details.get(name):
            return str(details[name])
    return ""


def open_system(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path in it.

    Raises:
        DataError: fsspec, or what it needs for this protocol, is not installed.
    """
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise DataError(
            "This needs fsspec, which is not installed: pip install 'deepmatte[cluster]'."
        ) from error
    try:
        system, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise DataError(f"{address} cannot be reached: {reason_of(error)}.") from error
    return system, str(path)
