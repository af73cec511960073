"""The frames of a shot: where they are, their trimaps, and what each matte is made of."""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepmatte.batch.addresses import stamp
from deepmatte.batch.jobs import PARTNER_ENDINGS, Partner, pictures_among
from deepmatte.batch.sequence.shot import Failure, Frame
from deepmatte.batch.sequence.video import SUFFIXES as VIDEO_SUFFIXES
from deepmatte.batch.sequence.video import count_frames, read_video
from deepmatte.batch.settings import Settings
from deepmatte.batch.steps import open_partner
from deepmatte.errors import DataError, MattingError
from deepmatte.images import OPENED_SUFFIXES, Picture, open_image
from deepmatte.images.files import reason_of

if TYPE_CHECKING:
    from deepmatte.matting import Matter


@dataclass(frozen=True)
class Planned:
    """A frame that is to be matted.

    Attributes:
        name: of the frame, for messages and of its outputs.
        path: of its file; that of the video for a video's.
        partner: the path of its trimap or mask, if it has one.
        inputs: a line that differs where its files have changed, or those of a frame before it:
            each matte depends on the one before.
    """

    name: str
    path: str
    partner: str | None
    inputs: str


def is_sequence(source: str) -> bool:
    """Whether a name says by itself that it is a shot: ``shot.####.png``, or a video file."""
    return "#" in os.path.basename(source) or is_video(source)


def is_video(path: str) -> bool:
    """Whether a name is that of a video file."""
    return path.lower().endswith(VIDEO_SUFFIXES)


def plan(source: str, partners: str | None, kind: Partner) -> list[Planned]:
    """The frames of a shot in order; none is opened.

    Args:
        source: ``shot.####.png``, a folder of frames, or a video file.
        partners: the folder of the trimaps or masks; None takes those beside the frames.
        kind: what goes with the frames.

    Raises:
        DataError: there are no frames, two files are one frame, or nothing says where the trimaps
            are.
        ImageError: the video cannot be read.
    """
    if is_video(source):
        stem = Path(source).stem
        count = count_frames(source)
        named = [(f"{stem}.{number:06}", str(number), source) for number in range(1, count + 1)]
        found = _partners(source, partners, kind, folder=None)
    else:
        paths = frame_paths(source)
        named = [(os.path.basename(path), _number(path), path) for path in paths]
        found = _partners(source, partners, kind, folder=os.path.dirname(paths[0]))
    planned, before = [], ""
    for name, number, path in named:
        partner = found.get(number)
        files = [stamp(file) for file in (path, partner) if file is not None]
        before = f"{_digest(before)} {' '.join(files)}".strip()
        planned.append(Planned(name, path, partner, before))
    return planned


def opened(
    planned: list[Planned], start: int, settings: Settings, matter: Matter, times: dict[str, int]
) -> Iterator[Frame | Failure]:
    """The frames, each opened when it is its turn.

    Args:
        planned: all frames of the shot, up to the last that is wanted.
        start: the first that is wanted.
        settings: of the batch.
        matter: the network, which looks at the edges of masks.
        times: gets the times of a video's frames, by name.

    Raises:
        ImageError: the video is damaged.
    """
    if not is_video(planned[0].path):
        for frame in planned[start:]:
            yield _opened(frame, None, settings, matter)
        return
    for number, (time, levels) in enumerate(read_video(planned[0].path)):
        if number == len(planned):
            return
        if number >= start:
            times[planned[number].name] = time
            yield _opened(planned[number], Picture(levels), settings, matter)


def _opened(
    frame: Planned, picture: Picture | None, settings: Settings, matter: Matter
) -> Frame | Failure:
    """A frame and its trimap; of a file, if no picture is given."""
    try:
        picture = picture or open_image(frame.path)
        if frame.partner is None:
            return Frame(frame.name, picture)
        trimap, _ = open_partner(frame.partner, frame.partner, picture, settings, matter)
        return Frame(frame.name, picture, trimap)
    except (MattingError, MemoryError) as error:
        return Failure(frame.name, str(error) or "There is not enough memory for this frame.")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest() if text else ""


def frame_paths(source: str) -> list[str]:
    """The files of a shot, in order: of ``shot.####.png``, or of a folder.

    Raises:
        DataError: there are none, or two have one number.
    """
    if os.path.isdir(source):
        found = pictures_among(map(str, Path(source).iterdir()))
    else:
        folder, name = os.path.split(source)
        parts = [re.escape(part) for part in re.split(r"#+", name)]
        widths = [len(run) for run in re.findall(r"#+", name)]
        pattern = parts[0] + "".join(
            rf"\d{{{width},}}{part}" for width, part in zip(widths, parts[1:], strict=True)
        )
        files = glob.glob(os.path.join(glob.escape(folder) or ".", "*"))
        found = [path for path in files if re.fullmatch(pattern, os.path.basename(path))]
        found = [path if folder else os.path.basename(path) for path in found]
    if not found:
        raise DataError(f"There is no frame in {source}; expected files such as shot.0001.png.")
    found.sort(key=_order)
    for path, other in itertools.pairwise(found):
        if _number(path) == _number(other):
            raise DataError(f"{path} and {other} are one frame; expected one file for each.")
    return found


def _number(path: str) -> str:
    """The number that ends a frame's name, without leading zeros; else the name."""
    stem = Path(path).stem
    for ending in PARTNER_ENDINGS:
        stem = stem.removesuffix(ending)
    digits = re.search(r"\d+$", stem)
    return str(int(digits[0])) if digits else stem


def _order(path: str) -> tuple[int, str]:
    number = _number(path)
    return (int(number), "") if number.isdigit() else (0, number)


def _partners(
    source: str, partners: str | None, kind: Partner, folder: str | None
) -> dict[str, str]:
    """The trimaps or masks by the numbers of their frames."""
    if kind == "subject":
        return {}
    where = partners if partners is not None else folder
    if where is None:
        raise DataError(f"Where are the trimaps of {source}? Expected --trimaps FOLDER.")
    try:
        files = sorted(Path(where or ".").iterdir())
    except OSError as error:
        raise DataError(f"{where} cannot be listed: {reason_of(error)}.") from error
    found: dict[str, str] = {}
    for path in files:
        is_named = path.stem.lower().endswith(f".{kind}")
        if path.suffix.lower() in OPENED_SUFFIXES and (is_named or partners is not None):
            other = found.setdefault(_number(path.name), str(path))
            if other != str(path):
                raise DataError(f"{other} and {path} belong to one frame; expected one of them.")
    return found
