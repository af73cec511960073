"""Decoding without a word on the way: Pillow warns, and the libraries below it print."""

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
    """Keep Pillow from warning, be it of damaged metadata or, from 89 megapixels on, of bombs.

    Bombs have a plain error of their own here. Filters and limit belong to the whole process, hence
    the lock; no 8 bit pixels are decoded inside, so that it is short.
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

    They know nothing of Python's, so that the descriptor itself is led elsewhere meanwhile.
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
