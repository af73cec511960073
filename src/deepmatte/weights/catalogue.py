"""Names of the shipped networks, their files and checksums."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from deepmatte.errors import ModelError

FOLDER = Path(__file__).parent

SHA256 = {
    "lite": "52ae31fcfb55932e8fd7866f1be0f131ef47b3d1557cc9d18c9df0757e58630f",
    "dim": "933ee68205e3921619a0cf8d6088c236957b4433c1bf205631278f38e6c5f2de",
}
"""SHA-256 of ``<name>.onnx`` in this folder; ``<name>.md`` is its model card."""


def find(model: str | os.PathLike[str]) -> bytes:
    """The bytes of a shipped network's ONNX file, or of the file at a path.

    Raises:
        ModelError: if there is no such network or file, or a shipped file is damaged.
    """
    name = os.fspath(model)
    if name in SHA256:
        path = FOLDER / f"{name}.onnx"
        content = _read(path)
        found = hashlib.sha256(content).hexdigest()
        if found != SHA256[name]:
            raise ModelError(
                f"the shipped network {path} is damaged: its SHA-256 is {found}, "
                f"expected {SHA256[name]}; install deepmatte again"
            )
        return content
    path = Path(name)
    if path.suffix.lower() == ".safetensors":
        raise ModelError(
            f"{name} is no network to run; write it as .onnx with deepmatte export, and name that "
            "file."
        )
    if path.suffix.lower() != ".onnx":
        raise ModelError(
            f"There is no network {name!r}; expected {', '.join(sorted(SHA256))} "
            "or the path of an .onnx file."
        )
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the network {path} cannot be read: {error.strerror}; expected an .onnx file"
        ) from error
