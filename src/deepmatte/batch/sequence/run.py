"""The frames of a shot to mattes in files or in a video.

Each matte depends on the one before. So a frame counts as changed where a frame before it has
changed, and a run that was stopped goes on from the last matte, which is kept unrounded; see
`checkpoint`.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

from deepmatte.batch import addresses
from deepmatte.batch.jobs import Job, Output
from deepmatte.batch.ledger import NAME, Finding, Ledger, Made, key
from deepmatte.batch.measures import described
from deepmatte.batch.naming import check_outputs
from deepmatte.batch.run import remove_remains
from deepmatte.batch.sequence import checkpoint, frames
from deepmatte.batch.sequence.checkpoint import Checkpoint
from deepmatte.batch.sequence.frames import Planned
from deepmatte.batch.sequence.shot import Failure, Frame, matte_shot
from deepmatte.batch.sequence.video import ALPHA_SUFFIXES, VideoWriter
from deepmatte.batch.settings import Settings
from deepmatte.batch.steps import encoder, load_matter
from deepmatte.batch.tally import Tally, Watcher
from deepmatte.errors import DataError, ImageError
from deepmatte.images import OPENED_SUFFIXES, Depth
from deepmatte.matted import framed
from deepmatte.matting import Matte
from deepmatte.types import Floats

# Frames that are encoded and written while the next ones are matted.
_WRITTEN_AT_A_TIME = 2
# Seconds between two checkpoints.
_PERIOD = 5.0


@dataclass(frozen=True)
class Sequence:
    """A shot to be matted.

    Attributes:
        source: ``shot.####.png``, a folder of frames, or a video file.
        partners: the folder of the trimaps or masks; None takes those beside the frames.
        out: a folder, or the video file to write the cut-outs to.
        patterns: pairs of an output's kind and the pattern of its name; none for a video file.
        settings: of all frames.
        steady: whether alpha is held where nothing moves.
        threads: of the network.
        memory: bytes that the process may take for a frame, or None for no limit.
    """

    source: str
    partners: str | None
    out: str
    patterns: tuple[tuple[Output, str], ...]
    settings: Settings
    steady: bool = True
    threads: int = 1
    memory: int | None = None

    @property
    def is_video(self) -> bool:
        """Whether a video is to be written."""
        return self.out.lower().endswith(ALPHA_SUFFIXES)

    @property
    def folder(self) -> str:
        """Where the outputs and the ledger are."""
        return os.path.dirname(self.out) or "." if self.is_video else self.out

    def made(self, name: str, inputs: str) -> Made:
        """A frame for the ledger, or the whole shot."""
        settings = self.settings.fingerprint(self.patterns)
        return Made(key(name), inputs, f"{settings} {'steady' if self.steady else 'not steady'}")

    def targets(self, name: str) -> Iterator[tuple[Output, str]]:
        """The files of a frame."""
        stem, suffix = os.path.splitext(name)
        if suffix.lower() not in OPENED_SUFFIXES:  # of a video's frames, which are no files
            stem = name
        for kind, pattern in self.patterns:
            yield kind, os.path.join(self.out, pattern.format(stem=stem, name=name))


def matte_sequence(sequence: Sequence, tally: Tally, watcher: Watcher) -> None:
    """Matte what is left of a shot, frame after frame.

    Args:
        sequence: the shot.
        tally: counts the frames.
        watcher: is told of each frame that has ended.

    Raises:
        ImageError: an output cannot be written, or a frame of a video has no matte.
        DataError: there are no frames, the settings crop, PyAV is missing, or another run is at
            this shot.
    """
    if sequence.settings.framing.crop is not None:
        raise DataError("A crop would move the subject from frame to frame; expected none.")
    if sequence.is_video and not frames.is_video(sequence.source):
        raise DataError(
            f"{sequence.out} takes its rate and sound from a video; {sequence.source} is none:"
            " expected a folder to write to."
        )
    planned = frames.plan(sequence.source, sequence.partners, sequence.settings.partner)
    _check_out(sequence, planned)
    os.makedirs(sequence.folder, exist_ok=True)
    with closing(Ledger(os.path.join(sequence.folder, NAME))) as ledger:
        target = sequence.out if sequence.is_video else sequence.source
        whole = sequence.made(os.path.basename(target.rstrip("/")), planned[-1].inputs)
        run = _Run(sequence, planned, ledger, tally, watcher)
        if sequence.is_video and not ledger.left([whole], lambda _: whole, _exists(target)):
            tally.known += len(planned)
            return
        if ledger.claim([whole]) == ["theirs"]:
            raise DataError(f"Another run is at {sequence.source}; expected one at a time.")
        if ledger.is_alone():
            remove_remains({sequence.folder}, ledger.began)
        if sequence.is_video:
            run.to_video()
        else:
            run.to_files()
        failed = f"{len(tally.failures)} frames failed." if tally.failures else None
        ledger.write([(whole, Finding(failed))])


def _check_out(sequence: Sequence, planned: list[Planned]) -> None:
    """Refuse to write into or over what is read.

    Raises:
        DataError: that would happen.
    """
    read = {file for frame in planned for file in (frame.path, frame.partner) if file is not None}
    if sequence.is_video:
        taken = {os.path.realpath(file) for file in read}
    else:
        files = read - {sequence.source}  # a video may lie in OUT
        taken = {os.path.realpath(os.path.dirname(file) or ".") for file in files}
        check_outputs(
            [
                Job(frame.name, frame.path, frame.partner, tuple(sequence.targets(frame.name)))
                for frame in planned
            ]
        )
    if os.path.realpath(sequence.out) in taken:
        raise DataError(
            f"{sequence.out} is read by this batch; expected another place to write to."
        )


def _exists(path: str) -> Callable[[object], bool]:
    return lambda _: os.path.exists(path)


@dataclass(frozen=True)
class _Ended:
    """A frame that has come to its end.

    Attributes:
        index: of the frame.
        finding: what came of it.
        alpha: float32 (H, W), or None where it failed.
        written: its files while they are being written, if there are any to write.
    """

    index: int
    finding: Finding
    alpha: Floats | None = None
    written: Future[None] | None = None


@dataclass(frozen=True)
class _Run:
    """One run over the frames of a shot, with the ledger open."""

    sequence: Sequence
    planned: list[Planned]
    ledger: Ledger
    tally: Tally
    watcher: Watcher

    def to_video(self) -> None:
        """Write the cut-outs of all frames to one video."""
        times: dict[str, int] = {}
        with VideoWriter(self.sequence.out, self.sequence.source) as writer:
            for end in self._matted(self.planned, times, None):
                if isinstance(end, Failure):
                    raise ImageError(f"{end.error.rstrip('.')}; a video needs every frame.")
                frame, matte = end
                depth: Depth = 8 if matte.picture.levels.dtype == "uint8" else 16
                result = framed(matte, self.sequence.settings.framing)
                writer.write(result.levels("cutout", depth), times.pop(frame.name))
                self._tell(frame.name, replace(described(matte, 0.0), thumbnail=b""))

    def to_files(self) -> None:
        """Write the frames that are left; those before them are matted again where they must."""
        left = {frame.name for frame in self.ledger.left(self.planned, self._made, self._is_there)}
        self.tally.known += len(self.planned) - len(left)
        numbers = [index for index, frame in enumerate(self.planned) if frame.name in left]
        if not numbers:
            return
        kept = self._checkpoint(numbers[0])
        latest, saved = kept, time.monotonic()
        with ThreadPoolExecutor(_WRITTEN_AT_A_TIME) as writers:
            frames_ended = self._ended(self.planned[: numbers[-1] + 1], left, kept, writers)
            is_whole = True
            for ended in _later(frames_ended, _WRITTEN_AT_A_TIME):
                frame = self.planned[ended.index]
                if ended.written is not None:
                    ended.written.result()
                if frame.name in left:
                    self.ledger.write([(self._made(frame), ended.finding)])
                    self._tell(frame.name, ended.finding)
                is_whole = is_whole and ended.alpha is not None
                if is_whole and ended.alpha is not None:
                    latest = Checkpoint(ended.index, self._made_of(ended.index), ended.alpha)
                    if time.monotonic() - saved > _PERIOD:
                        latest.save(self.sequence.folder)
                        saved = time.monotonic()
        if latest is not None:
            latest.save(self.sequence.folder)

    def _ended(
        self,
        planned: list[Planned],
        left: set[str],
        kept: Checkpoint | None,
        writers: ThreadPoolExecutor,
    ) -> Iterator[_Ended]:
        """The frames after the checkpoint as they are matted; files of those left are begun."""
        began = time.monotonic()
        first = 0 if kept is None else kept.index + 1
        for index, end in enumerate(self._matted(planned, {}, kept), first):
            now = time.monotonic()
            seconds, began = now - began, now
            if isinstance(end, Failure):
                yield _Ended(index, Finding(end.error, seconds))
                continue
            frame, matte = end
            finding = replace(described(matte, seconds), thumbnail=b"")
            written = None
            if frame.name in left:
                written = writers.submit(self._write, frame.name, matte)
            yield _Ended(index, finding, matte.predicted, written)

    def _matted(
        self, planned: list[Planned], times: dict[str, int], kept: Checkpoint | None
    ) -> Iterator[tuple[Frame, Matte] | Failure]:
        settings = self.sequence.settings
        start = 0 if kept is None else kept.index
        matter = load_matter(settings, self.sequence.threads, self.sequence.memory)
        return matte_shot(
            frames.opened(planned, start, settings, matter, times),
            matter,
            segmenter=settings.segmenter,
            steady=self.sequence.steady,
            before=None if kept is None else kept.alpha,
        )

    def _checkpoint(self, first: int) -> Checkpoint | None:
        """The checkpoint, if it lies before the first frame that is left and nothing changed."""
        kept = checkpoint.load(self.sequence.folder)
        if kept is None or kept.index >= first or kept.made_of != self._made_of(kept.index):
            return None
        return kept

    def _made_of(self, index: int) -> str:
        made = self._made(self.planned[index])
        return f"{made.inputs} {made.settings}"

    def _made(self, frame: Planned) -> Made:
        return self.sequence.made(frame.name, frame.inputs)

    def _is_there(self, frame: Planned) -> bool:
        return all(os.path.exists(target) for _, target in self.sequence.targets(frame.name))

    def _write(self, name: str, matte: Matte) -> None:
        contents = []
        result = framed(matte, self.sequence.settings.framing)
        for kind, target in self.sequence.targets(name):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            contents.append((target, encoder(result, kind, target, self.sequence.settings)()))
        addresses.write(contents)

    def _tell(self, name: str, finding: Finding) -> None:
        self.tally.count(name, finding)
        self.watcher(name, finding)


def _later(items: Iterable[_Ended], count: int) -> Iterator[_Ended]:
    """The same items, each when so many others have come after it."""
    waiting: deque[_Ended] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting
