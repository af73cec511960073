"""A checksum at the end of an ONNX file, and checks of untrusted files.

An ONNX file is a protobuf message, to which fields can be appended. The last metadata entry holds
the SHA-256 of all bytes before it. Other readers ignore it.
"""

from __future__ import annotations

import hashlib
import re

from deepmatte.errors import ModelError

_KEY = b"\x0a\x06sha256\x12\x40"
"""A map's key and the length of its value, 64 digits; source: protobuf's wire format."""
_TAIL = b"\x72" + bytes([len(_KEY) + 64]) + _KEY
"""Field 14 of ONNX's ModelProto, ``metadata_props``."""
_LENGTH = len(_TAIL) + 64
# The key "location" of external data, its tag and its length in any of the ways to write them.
_EXTERNAL = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location", re.DOTALL)


def sealed(content: bytes) -> bytes:
    """An ONNX file with its checksum at the end."""
    return content + _TAIL + hashlib.sha256(content).hexdigest().encode()


def check_network(content: bytes, name: str) -> bool:
    """Check an ONNX file before anything else reads it.

    Args:
        content: of the file.
        name: what an error message calls it.

    Returns:
        Whether it has a checksum.

    Raises:
        ModelError: it does not fit its checksum, or takes weights from other files, which could be
            any of this machine.
    """
    if _EXTERNAL.search(content):
        raise ModelError(
            f"{name}: its weights lie in other files, which are not read; expected a network that"
            " is one file: export it anew, without external data"
        )
    body, tail = content[:-_LENGTH], content[-_LENGTH:]
    if not tail.startswith(_TAIL):
        return False
    if tail[len(_TAIL) :] != hashlib.sha256(body).hexdigest().encode():
        raise ModelError(
            f"{name}: damaged: it does not fit the checksum at its end; expected a whole copy"
        )
    return True
