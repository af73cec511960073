"""A shot: frames in order, trimaps for some of them, and mattes whose edges stand still.

If a frame has no trimap, it gets a band around the edge of the matte before, moved along by the
motion. So each matte corrects the source of the next trimap. Pixels that look different from the
frame before become unknown again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from deepmatte.batch.sequence.motion import Motion, Tracker, near
from deepmatte.errors import MattingError, TrimapError
from deepmatte.images import Picture
from deepmatte.matting import Matte, Matter
from deepmatte.trimap import from_alpha
from deepmatte.types import UNKNOWN, Floats, Trimap

# Half of the band around a carried edge, as a share of the frame's side (the geometric mean), and
# at least, in pixels. What the matte before got wrong is put right within the band alone: with half
# of it errors grow from frame to frame, with half as much again too much is unknown.
_BAND, _LEAST_BAND = 0.012, 4.0
# How far from the band what cannot be relied on becomes unknown, in such halves.
_DOUBT = 4.0
_TRUSTED = 0.3
# Alpha below the first, or above the second, is known in a carried matte.
_CLEAR, _SOLID = 0.04, 0.96
# The share of the matte before in a matte: where nothing moves, and where something does.
_SHARE_STILL, _SHARE_MOVING = 0.8, 0.3
# How fast the second takes over, in pixels a frame.
_SPEED = 0.5


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        name: for messages, and of its outputs.
        picture: the frame; may be loaded when it is asked for.
        partner: its trimap, if it has one.
    """

    name: str
    picture: Picture
    partner: Trimap | None = None


@dataclass(frozen=True)
class Failure:
    """A frame that could not be matted, and why, in a sentence."""

    name: str
    error: str


def matte_shot(
    frames: Iterable[Frame | Failure],
    matter: Matter,
    *,
    segmenter: str | None = None,
    steady: bool = True,
    before: Floats | None = None,
) -> Iterator[tuple[Frame, Matte] | Failure]:
    """Matte frames in order; no more than two are in memory at a time.

    Args:
        frames: in order, those that cannot be opened included. The first, and the first after each
            cut, has a trimap.
        matter: the network.
        segmenter: looks for the subject in these frames if they have none; see
            `deepmatte.find_subject`.
        steady: whether alpha is held where nothing moves.
        before: float32 (H, W), the alpha of the first frame, which was matted earlier: the frames
            are matted from the second on.

    Yields:
        Each frame and its matte, or why it has none. The first matte after a cut says so in its
        notes.
    """
    tracker = Tracker()
    waiting = iter(frames)
    if before is not None:
        first = next(waiting, None)
        if isinstance(first, Frame):
            tracker.follow(first.picture.levels)
    for frame in waiting:
        if isinstance(frame, Failure):
            yield frame
            continue
        motion = tracker.follow(frame.picture.levels)
        is_cut = motion is not None and motion.is_cut
        carried = None
        if motion is not None and before is not None and not is_cut:
            carried = motion.carry(before)
        try:
            matte = _matte(frame, matter, motion, carried, segmenter)
        except (MattingError, MemoryError) as error:
            before = None if is_cut else carried
            after = " after a scene cut" if is_cut else ""
            yield Failure(frame.name, f"{str(error).rstrip('.')}{after}.")
            continue
        if steady and motion is not None and carried is not None:
            matte = dataclasses.replace(matte, predicted=steadied(matte, motion, carried))
        if is_cut:
            matte = dataclasses.replace(
                matte, notes=("A scene cut comes before this frame.", *matte.notes)
            )
        before = matte.predicted
        yield frame, matte


def _matte(
    frame: Frame,
    matter: Matter,
    motion: Motion | None,
    carried: Floats | None,
    segmenter: str | None,
) -> Matte:
    if frame.partner is not None:
        return matter(frame.picture, frame.partner)
    if motion is not None and carried is not None:
        return matter(frame.picture, carried_trimap(carried, motion))
    if segmenter is None:
        raise TrimapError(
            f"{frame.name} has no trimap, and no frame before it has a matte;"
            " expected a trimap for the first frame"
        )
    from deepmatte.subject import matte_subject

    return matte_subject(frame.picture, segmenter=segmenter, matter=matter)


def carried_trimap(carried: Floats, motion: Motion) -> Trimap:
    """A band around the edge of a carried matte, wider where the motion cannot be relied on.

    Args:
        carried: float32 (H, W), 0..1, the matte before as it looks in this frame.
        motion: to this frame.

    Returns:
        uint8 (H, W).
    """
    band = max(_LEAST_BAND, _BAND * math.sqrt(carried.size))
    clear = np.where(carried < _CLEAR, 0, np.where(carried > _SOLID, 1, carried))
    trimap = from_alpha(clear.astype(np.float32), erode=band, dilate=band)
    doubtful = motion.trust < _TRUSTED
    if doubtful.any():
        trimap[doubtful & near(trimap == UNKNOWN, _DOUBT * band)] = UNKNOWN
    return trimap


def steadied(matte: Matte, motion: Motion, carried: Floats) -> Floats:
    """Alpha, held to the matte before where the picture looks as it did there.

    Known pixels stay as they are: exactly 0 and 1.

    Args:
        matte: of this frame by itself.
        motion: to this frame.
        carried: float32 (H, W), the matte before as it looks in this frame.

    Returns:
        float32 (H, W), 0..1.
    """
    still = np.exp(-((motion.speed / _SPEED) ** 2))
    share = motion.trust * (_SHARE_MOVING + (_SHARE_STILL - _SHARE_MOVING) * still)
    share *= matte.trimap == UNKNOWN
    held: Floats = (matte.predicted + share * (carried - matte.predicted)).astype(np.float32)
    return held
