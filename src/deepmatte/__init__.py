"""Image matting: a photo and a trimap in, an alpha matte and a clean cut-out out.

Example:
    import deepmatte

    matte = deepmatte.matte("photo.jpg", "trimap.png")
    matte.cutout().save("cutout.png")
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from deepmatte.errors import DataError, ImageError, MattingError, ModelError, TrimapError
from deepmatte.privacy import keep_to_this_machine

keep_to_this_machine()  # before a library that listens to it can be loaded

from deepmatte.matting import Matte, Matter, matte  # noqa: E402

if TYPE_CHECKING:
    from deepmatte import trimap

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "ImageError",
    "Matte",
    "Matter",
    "MattingError",
    "ModelError",
    "TrimapError",
    "__version__",
    "matte",
    "trimap",
]


def __getattr__(name: str) -> ModuleType:
    """Import `deepmatte.trimap` when it is first asked for (PEP 562): it loads OpenCV."""
    if name == "trimap":
        return importlib.import_module("deepmatte.trimap")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
