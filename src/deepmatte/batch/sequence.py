"""The frames of a shot from files or a video, their trimaps, and their mattes to files."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from deepmatte.batch import addresses
from deepmatte.batch.jobs import PARTNER_ENDINGS, SUFFIXES, Output, Partner
from deepmatte.batch.ledger import Finding
from deepmatte.batch.measures import described
from deepmatte.batch.settings import Settings
from deepmatte.batch.shot import Failure, Frame, matte_shot
from deepmatte.batch.steps import encoder, load_matter, open_partner
from deepmatte.batch.video import ALPHA_SUFFIXES, VideoWriter, read_video
from deepmatte.batch.video import SUFFIXES as VIDEO_SUFFIXES
from deepmatte.errors import DataError, ImageError
from deepmatte.images import Depth, Picture, open_image
from deepmatte.matting import Matte

# Frames that are encoded and written while the next ones are matted.
_WRITTEN_AT_A_TIME = 2


@dataclass(frozen=True)
class Sequence:
    """A shot to be matted.

    Attributes:
        source: ``shot.####.png``, a folder of frames, or a video file.
        partners: the folder of the trimaps or masks; None takes those beside the frames.
        out: a folder, or the video file to write the cut-outs to.
        patterns: pairs of an output's kind and the pattern of its name; none for a video file.
    """

    source: str
    partners: str | None
    out: str
    patterns: tuple[tuple[Output, str], ...]


def is_sequence(source: str) -> bool:
    """Whether a name says by itself that it is a shot: ``shot.####.png``, or a video file."""
    return "#" in os.path.basename(source) or is_video(source)


def is_video(path: str) -> bool:
    """Whether a name is that of a video file."""
    return path.lower().endswith(VIDEO_SUFFIXES)


def matte_sequence(
    sequence: Sequence,
    settings: Settings,
    threads: int,
    tell: Callable[[str, Finding], None],
    *,
    steady: bool = True,
) -> None:
    """Matte a shot, frame after frame.

    Args:
        sequence: the shot.
        settings: of all frames.
        threads: of the network.
        tell: is told of each frame that has ended.
        steady: whether alpha is held where nothing moves.

    Raises:
        ImageError: a frame cannot be read, or an output cannot be written.
        TrimapError: a trimap makes no sense.
        DataError: there are no frames, the settings crop, or PyAV is missing.
    """
    if settings.framing.crop is not None:
        raise DataError("A crop would move the subject from frame to frame; expected none.")
    matter = load_matter(settings, threads, None)
    segmenter = settings.segmenter if settings.partner == "subject" else None
    times: dict[str, int] = {}
    frames = _frames(sequence, settings, times)
    ended = matte_shot(frames, matter, segmenter=segmenter, steady=steady)
    if sequence.out.lower().endswith(ALPHA_SUFFIXES):
        _to_video(ended, sequence, settings, times, tell)
    else:
        _to_files(ended, sequence, settings, tell)


def _to_video(
    ended: Iterable[tuple[Frame, Matte] | Failure],
    sequence: Sequence,
    settings: Settings,
    times: dict[str, int],
    tell: Callable[[str, Finding], None],
) -> None:
    if not is_video(sequence.source):
        raise DataError(
            f"{sequence.out} takes its rate and sound from a video; {sequence.source} is none:"
            " expected a folder to write to."
        )
    with VideoWriter(sequence.out, sequence.source) as writer:
        for end in ended:
            if isinstance(end, Failure):
                raise ImageError(f"{end.error.rstrip('.')}; a video needs every frame.")
            frame, matte = end
            depth: Depth = 8 if matte.picture.levels.dtype == "uint8" else 16
            cutout = matte.framed(settings.framing).levels("cutout", depth)
            writer.write(cutout, times.pop(frame.name))
            tell(frame.name, replace(described(matte, 0.0), thumbnail=b""))


def _to_files(
    ended: Iterable[tuple[Frame, Matte] | Failure],
    sequence: Sequence,
    settings: Settings,
    tell: Callable[[str, Finding], None],
) -> None:
    os.makedirs(sequence.out, exist_ok=True)
    waiting: list[Future[None]] = []
    with ThreadPoolExecutor(_WRITTEN_AT_A_TIME) as writers:
        for end in ended:
            if isinstance(end, Failure):
                tell(end.name, Finding(end.error))
                continue
            frame, matte = end
            waiting.append(writers.submit(_write, frame, matte, sequence, settings))
            if len(waiting) > _WRITTEN_AT_A_TIME:
                waiting.pop(0).result()
            tell(frame.name, replace(described(matte, 0.0), thumbnail=b""))
        for future in waiting:
            future.result()


def _write(frame: Frame, matte: Matte, sequence: Sequence, settings: Settings) -> None:
    stem, suffix = os.path.splitext(frame.name)
    if suffix.lower() not in SUFFIXES:  # of a video's frames, which are no files
        stem = frame.name
    contents = []
    framed = matte.framed(settings.framing)
    for kind, pattern in sequence.patterns:
        target = os.path.join(sequence.out, pattern.format(stem=stem, name=frame.name))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        contents.append((target, encoder(framed, kind, target, settings)()))
    addresses.write(contents)


# --- frames -------------------------------------------------------------------------------------


def _frames(sequence: Sequence, settings: Settings, times: dict[str, int]) -> Iterator[Frame]:
    """The frames, each opened when it is its turn; ``times`` gets those of a video's."""
    if is_video(sequence.source):
        partners = _partners(sequence, settings.partner, folder=None)
        stem = Path(sequence.source).stem
        for number, (time, levels) in enumerate(read_video(sequence.source), 1):
            name = f"{stem}.{number:06}"
            times[name] = time
            picture = Picture(levels)
            yield _frame(name, str(number), picture, partners, settings)
        return
    paths = frame_paths(sequence.source)
    partners = _partners(sequence, settings.partner, folder=os.path.dirname(paths[0]))
    for path in paths:
        yield _frame(os.path.basename(path), _number(path), open_image(path), partners, settings)


def _frame(
    name: str, number: str, picture: Picture, partners: dict[str, str], settings: Settings
) -> Frame:
    partner = partners.get(number)
    if partner is None:
        return Frame(name, picture)
    return Frame(name, picture, open_partner(partner, partner, picture, settings)[0])


def frame_paths(source: str) -> list[str]:
    """The files of a shot, in order: of ``shot.####.png``, or of a folder.

    Raises:
        DataError: there are none, or two have one number.
    """
    if os.path.isdir(source):
        found = [str(path) for path in Path(source).iterdir() if _is_frame(path)]
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


def _is_frame(path: Path) -> bool:
    return (
        path.suffix.lower() in SUFFIXES
        and not path.name.startswith(".")
        and not path.stem.lower().endswith(PARTNER_ENDINGS)
    )


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


def _partners(sequence: Sequence, kind: Partner, folder: str | None) -> dict[str, str]:
    """The trimaps or masks by the numbers of their frames."""
    if kind == "subject":
        return {}
    where = sequence.partners or folder
    if where is None:
        raise DataError(f"Where are the trimaps of {sequence.source}? Expected --trimaps FOLDER.")
    found: dict[str, str] = {}
    for path in sorted(Path(where or ".").iterdir()):
        is_named = path.stem.lower().endswith(f".{kind}")
        if path.suffix.lower() in SUFFIXES and (is_named or sequence.partners is not None):
            other = found.setdefault(_number(path.name), str(path))
            if other != str(path):
                raise DataError(f"{other} and {path} belong to one frame; expected one of them.")
    return found
