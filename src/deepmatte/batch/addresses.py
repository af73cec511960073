"""Files by their addresses: paths of this machine, and whatever fsspec knows (``s3://...``)."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from deepmatte.errors import DataError, ImageError
from deepmatte.images.files import reason_of, write_files


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


def make_folder_of(address: str) -> None:
    """Make the folder that a file is to be written to, where folders are made at all."""
    if not is_remote(address):
        os.makedirs(os.path.dirname(address) or ".", exist_ok=True)


def listing(address: str) -> dict[str, float]:
    """The files below a folder: their names relative to it, and when they were last changed.

    Names with a part that begins with a dot are left out. Times are seconds; 0 where unknown.

    Raises:
        DataError: the folder cannot be listed.
    """
    system, root = open_system(address)
    try:
        system.invalidate_cache()
        found: dict[str, dict[str, Any]] = system.find(root, detail=True)
    except Exception as error:
        raise DataError(f"{address} cannot be listed: {reason_of(error)}.") from error
    root = root.rstrip("/")
    names = {path[len(root) :].lstrip("/"): details for path, details in found.items()}
    return {
        name: _changed(details)
        for name, details in sorted(names.items())
        if name and not any(part.startswith(".") for part in name.split("/"))
    }


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


def _changed(details: dict[str, Any]) -> float:
    """When a file was last changed: each of fsspec's systems calls it by another name."""
    for name in ("mtime", "LastModified", "last_modified", "updated"):
        value = details.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return 0.0
