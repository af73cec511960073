"""The settings that the outputs of a batch depend on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from deepmatte.batch.addresses import stamp
from deepmatte.batch.jobs import Job, Output, Partner
from deepmatte.framing import UNFRAMED, Framing

if TYPE_CHECKING:
    from deepmatte.images import Depth
    from deepmatte.solver.engine import Quality


@dataclass(frozen=True)
class Settings:
    """What the outputs of a batch depend on, apart from its pictures.

    Attributes:
        partner: what goes with each picture.
        model: as `deepmatte.Matter` takes it.
        quality: as `deepmatte.Matter` takes it.
        tile: as `deepmatte.Matter` takes it.
        device: as `deepmatte.Matter` takes it.
        over: the background of composites: a colour or the path of a picture.
        resize_trimap: whether trimaps and masks of another size are resized to the picture.
        segmenter: what finds the subjects, as `deepmatte.find_subject` takes it.
        depth: bits per channel of the outputs; see `deepmatte.Matte.save`.
        straight: see `deepmatte.Matte.save`.
        framing: how the outputs are cropped, resized and shadowed.
    """

    partner: Partner = "trimap"
    model: str = "lite"
    quality: Quality = "normal"
    tile: int | None = None
    device: str = "cpu"
    over: str | None = None
    resize_trimap: bool = False
    segmenter: str | None = None
    depth: Depth | None = None
    straight: bool = False
    framing: Framing = UNFRAMED

    def fingerprint(self, outputs: Iterable[tuple[Output, str]]) -> str:
        """One line that differs where the settings differ, or a file that they name.

        Args:
            outputs: pairs of an output's kind and its name or pattern.
        """
        files = [name for name in (self.model, self.over) if name and os.path.isfile(name)]
        names = [(kind, os.path.basename(path)) for kind, path in outputs]
        return json.dumps([asdict(self), [stamp(name) for name in files], names])


def fingerprint(job: Job) -> str:
    """One line that differs where the files of a job have changed: their sizes and times."""
    return " ".join(stamp(path) for path in (job.picture, job.partner) if path is not None)
