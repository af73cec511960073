"""The last matte of a shot, unrounded: a stopped run continues from it."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import dataclass

import numpy as np

from deepmatte.images.files import write_files
from deepmatte.types import Floats

NAME = ".deepmatte-shot.npz"
"""Of the file in the output folder."""


@dataclass(frozen=True)
class Checkpoint:
    """A frame up to which a shot is done.

    Attributes:
        index: of the frame, from 0.
        made_of: differs where the matte was made of other files or with other settings.
        alpha: float32 (H, W), its alpha.
    """

    index: int
    made_of: str
    alpha: Floats

    def save(self, folder: str) -> None:
        """Write it to a folder, in place of the one before.

        Raises:
            ImageError: it cannot be written.
        """
        content = io.BytesIO()
        np.savez(content, index=self.index, made_of=self.made_of, alpha=self.alpha)
        write_files([(os.path.join(folder, NAME), content.getvalue())])


def load(folder: str) -> Checkpoint | None:
    """The checkpoint in a folder, or None where there is none that can be read."""
    try:
        with np.load(os.path.join(folder, NAME), allow_pickle=False) as stored:
            alpha = np.asarray(stored["alpha"], np.float32)
            return Checkpoint(int(stored["index"]), str(stored["made_of"]), alpha)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
