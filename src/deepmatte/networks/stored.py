"""Reads weights that torch saved, as weights only, and checks their checksums."""

from __future__ import annotations

import os
import pickle
import zipfile
from typing import Any

import torch

from deepmatte.errors import DataError


def read_weights(path: str | os.PathLike[str], kind: str) -> Any:
    """Read what torch saved. Tensors and plain values only: a pickle cannot run code here.

    Args:
        path: of the file.
        kind: what an error message says that it is not, "checkpoint".

    Raises:
        DataError: if the file is missing, damaged, or holds anything else.
    """
    try:
        check_content(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except DataError:
        raise
    except Exception as error:
        why = _why_unreadable(error)
        raise DataError(f"{os.fspath(path)}: not a readable {kind}: {why}") from error


def check_content(path: str | os.PathLike[str]) -> None:
    """Check a file against the checksums that torch stores but never reads.

    Raises:
        DataError: if a byte has changed.
        OSError: if there is no such file.
    """
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):  # torch wrote other files before version 1.6
            return
        try:
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise DataError(
                f"{os.fspath(path)}: damaged ({error}); expected a whole copy"
            ) from error
    if damaged is not None:
        raise DataError(
            f"{os.fspath(path)}: damaged: {damaged} does not fit its checksum; "
            "expected a whole copy"
        )


def _why_unreadable(error: Exception) -> str:
    """Why torch does not load a file as weights only.

    Its own words go on to say how to load the file nevertheless, which would run what is in it.
    """
    if isinstance(error, pickle.UnpicklingError) or "weights_only" in str(error):
        return "it holds more than weights and plain values, or is damaged"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text.splitlines() or [type(error).__name__])[0]
