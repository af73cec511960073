"""Image matting: a photo and a trimap in, an alpha matte and a clean cut-out out.

Example:
    import deepmatte

    matte = deepmatte.matte("photo.jpg", "trimap.png")
    matte.cutout().save("cutout.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from deepmatte.errors import (
    DataError,
    ImageError,
    MattingError,
    ModelError,
    SubjectError,
    TrimapError,
)
from deepmatte.privacy import keep_to_this_machine
from deepmatte.version import __version__

keep_to_this_machine()  # before a library that listens to it can be loaded

from deepmatte.matting import Matte, Matter, matte  # noqa: E402

if TYPE_CHECKING:
    from deepmatte import trimap
    from deepmatte.subject import find_subject, matte_mask, matte_subject

__all__ = [
    "DataError",
    "ImageError",
    "Matte",
    "Matter",
    "MattingError",
    "ModelError",
    "SubjectError",
    "TrimapError",
    "__version__",
    "find_subject",
    "matte",
    "matte_mask",
    "matte_subject",
    "trimap",
]


def __getattr__(name: str) -> Any:
    """Import what loads NumPy or OpenCV when it is first asked for (PEP 562)."""
    if name == "trimap":
        return importlib.import_module("deepmatte.trimap")
    if name in ("find_subject", "matte_mask", "matte_subject"):
        return getattr(importlib.import_module("deepmatte.subject"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
