"""Video files: frames in, and frames with alpha out, by PyAV, which includes FFmpeg.

ProRes 4444 (``.mov``) and VP9 (``.webm``) hold an alpha channel. Sound and the times of the
frames are kept.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import DataError, ImageError
from deepmatte.images.files import reason_of

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm")
"""Of files that are read as video."""
ALPHA_SUFFIXES = (".mov", ".webm")
"""Of video files that can be written."""

# Of an FFmpeg colour space: that of HD, and what a file says that names none.
_BT709, _UNNAMED = 1, 2
# Quality of VP9: 0 (best) to 63.
_VP9_QUALITY = "20"
_OPUS = ("opus", "vorbis")


def library() -> ModuleType:
    """PyAV.

    Raises:
        DataError: it is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise DataError(
            "This needs PyAV, which is not installed: pip install 'deepmatte[video]'."
        ) from error
    return av


def read_video(path: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """The frames of a video and when each is shown, in ticks of the stream's time base.

    Yields:
        The time, and uint8 (H, W, 3), or uint16 where the video has more than 8 bits.

    Raises:
        ImageError: there is no such file, it is no video, or it is damaged.
    """
    with _decoding(path) as frames:
        for number, frame in enumerate(frames):
            yield (number if frame.pts is None else frame.pts), _pixels(frame)


def count_frames(path: str) -> int:
    """How many frames a video has; it is decoded for that, because what a file says may be wrong.

    Raises:
        ImageError: there is no such file, it is no video, or it is damaged.
    """
    with _decoding(path) as frames:
        return sum(1 for _ in frames)


@contextmanager
def _decoding(path: str) -> Iterator[Iterator[Any]]:
    """The frames of a video, as PyAV decodes them; what fails in the block is one sentence."""
    try:
        with _opened(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container.decode(stream)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read as a video: {reason_of(error)}.") from error


def _opened(path: str) -> Any:
    """A video to read from."""
    try:
        container = library().open(path)
    except (OSError, ValueError) as error:  # FFmpeg's errors are one of both
        raise ImageError(f"{path} cannot be read as a video: {reason_of(error)}.") from error
    if not container.streams.video:
        container.close()
        raise ImageError(f"{path} has no pictures; expected a video.")
    return container


def _pixels(frame: Any) -> NDArray[Any]:
    deep = max(component.bits for component in frame.format.components) > 8
    options = {}
    if frame.colorspace == _UNNAMED and frame.height >= 720:  # as players take it
        options["src_colorspace"] = "ITU709"
    shown = frame.reformat(format="rgb48le" if deep else "rgb24", **options)
    pixels: NDArray[Any] = shown.to_ndarray()
    return pixels


class VideoWriter:
    """Writes a video with alpha beside the sound of another; whole or not at all.

    Args:
        path: of the new file, ``.mov`` or ``.webm``.
        source: the video that the frames come from, whose sound and rate are taken.

    Example:
        with VideoWriter("cutout.mov", "shot.mp4") as writer:
            for time, cutout in cutouts:
                writer.write(cutout, time)
    """

    def __init__(self, path: str, source: str) -> None:
        self._av = library()
        self._path = path
        name = f".deepmatte-{secrets.token_hex(6)}.part"
        self._temporary = os.path.join(os.path.dirname(path), name)
        self._source = _opened(source)
        self._original = self._source.streams.video[0]
        self._is_webm = path.lower().endswith(".webm")
        try:
            self._container = self._av.open(
                self._temporary, "w", format="webm" if self._is_webm else "mov"
            )
        except OSError as error:
            self._source.close()
            raise ImageError(f"{path} cannot be written: {reason_of(error)}.") from error
        self._stream: Any = None
        self._sounds: list[tuple[Any, Any]] = []

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        except (OSError, ValueError) as failure:
            error = failure
            reason = reason_of(failure)
            raise ImageError(f"{self._path} cannot be written: {reason}.") from failure
        finally:
            self._source.close()
            self._container.close()
            if error is None and self._stream is not None:
                os.replace(self._temporary, self._path)
            elif os.path.exists(self._temporary):
                os.unlink(self._temporary)

    def write(self, cutout: NDArray[Any], time: int) -> None:
        """Add a frame: uint8 or uint16 (H, W, 4), straight alpha, shown at a time of the source."""
        if self._stream is None:
            self._begin(cutout.shape[1], cutout.shape[0])
        kind = "rgba" if cutout.dtype == np.uint8 else "rgba64le"
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(cutout), format=kind)
        frame = frame.reformat(format=self._stream.pix_fmt, dst_colorspace="ITU709")
        frame.pts, frame.time_base = time, self._original.time_base
        self._container.mux(self._stream.encode(frame))

    def _begin(self, width: int, height: int) -> None:
        rate = self._original.average_rate or Fraction(25)
        codec = "libvpx-vp9" if self._is_webm else "prores_ks"
        self._stream = self._container.add_stream(codec, rate=rate)
        self._stream.width, self._stream.height = width, height
        self._stream.time_base = self._original.time_base
        self._stream.codec_context.time_base = self._original.time_base
        self._stream.codec_context.colorspace = _BT709
        self._stream.codec_context.color_primaries = _BT709
        self._stream.codec_context.color_trc = _BT709
        if self._is_webm:
            self._stream.pix_fmt = "yuva420p"
            self._stream.options = {"crf": _VP9_QUALITY, "b": "0", "auto-alt-ref": "0"}
        else:
            self._stream.pix_fmt = "yuva444p10le"
            self._stream.options = {"profile": "4444", "alpha_bits": "16"}
        for sound in self._source.streams.audio:
            if self._is_webm and sound.codec_context.name not in _OPUS:
                made = self._container.add_stream("libopus", rate=48000)
            else:
                made = self._container.add_stream_from_template(sound)
            self._sounds.append((sound, made))

    def _finish(self) -> None:
        if self._stream is None:
            raise ImageError(f"{self._path} would have no frame; expected at least one.")
        self._container.mux(self._stream.encode(None))
        for sound, made in self._sounds:
            self._source.seek(0)
            if made.codec_context is None or made.codec_context.name == sound.codec_context.name:
                self._copy(sound, made)
            else:
                for frame in self._source.decode(sound):
                    self._container.mux(made.encode(frame))
                self._container.mux(made.encode(None))

    def _copy(self, sound: Any, made: Any) -> None:
        for packet in self._source.demux(sound):
            if packet.dts is not None:
                packet.stream = made
                self._container.mux(packet)
