"""Silent decoding: suppresses the warnings of Pillow and the output of its libraries."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator

from PIL import Image

# Pillow logs what it raises, and Python prints to standard error what nobody listens to.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_process_state = threading.Lock()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Suppress Pillow's warnings: of damaged metadata and, from 89 megapixels on, of bombs.

    `check_size` refuses bombs. Filters and limit belong to the whole process, hence the lock. No
    8-bit pixels are decoded inside, so it is short.
    """
    with _process_state, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextlib.contextmanager
def silently() -> Iterator[None]:
    """Keep libtiff and libpng from printing to standard error, as they do beside their errors.

    They do not use Python's sys.stderr, so the file descriptor itself is redirected.
    """
    with quietly():
        try:
            before = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
