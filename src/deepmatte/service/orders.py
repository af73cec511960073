"""What a request asks for: its fields and files, validated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from deepmatte.errors import DataError
from deepmatte.framing import Framing, margin_of, opacity_of
from deepmatte.images import Depth, check_depth, parse_colour
from deepmatte.subject.segmenters import Box, Point

Output: TypeAlias = Literal["cutout", "alpha", "foreground", "composite"]
Format: TypeAlias = Literal["png", "webp", "jpg", "tif", "avif", "exr", "zip"]
Quality: TypeAlias = Literal["normal", "high"]

FILES = ("image", "trimap", "mask", "background")
"""Parts of a request that may be files."""

# The names that programs written for remove.bg use, and ours.
_SYNONYMS = {
    "image_file": "image",
    "bg_image_file": "background",
    "bg_color": "background",
    "channels": "output",
    "roi": "box",
    "add_shadow": "shadow",
}
_VALUES: Mapping[str, Mapping[str, Any]] = {
    "output": {"rgba": "cutout"},
    "format": {"auto": "png", "jpeg": "jpg", "tiff": "tif"},
    "depth": {"8": 8, "16": 16},
}
TEXTS = (
    "background",
    "box",
    "crop",
    "crop_margin",
    "depth",
    "format",
    "output",
    "point",
    "quality",
    "resize",
    "resize_trimap",
    "shadow",
    "size",
    "straight",
    "subject",
)
"""Fields of a request that are text; `size` is remove.bg's."""

SIZES: Mapping[str, int | None] = {
    **dict.fromkeys(("auto", "full", "original"), None),
    **dict.fromkeys(("preview", "small", "regular"), 250_000),
    **{"medium": 1_500_000, "hd": 4_000_000, "4k": 10_000_000, "50MP": 50_000_000},
}
"""remove.bg's sizes of an answer: pixels at most, None for all of them."""
# remove.bg's fields that say what it should look for, and those that ask for nothing.
_HINTS = ("type", "type_level", "semitransparency")
_NOTHING = {"scale": "original", "position": "original"}
_NUMBER = r"-?[0-9]{1,9}"
_SIDE = re.compile(rf"({_NUMBER})(?:px)?|([0-9]{{1,3}}(?:\.[0-9]{{1,3}})?%)")
# A region of interest that is all of the picture, which remove.bg takes if nothing is said.
_ALL = ("0", "0", "100%", "100%")
# The widest margin, as of remove.bg: pixels, and a share of the subject.
_WIDEST = (500, 0.5)
_SHADOW = 0.4  # the opacity that `shadow=true` asks for


@dataclass(frozen=True)
class Region:
    """A box in pixels, or in shares of a picture whose size is not known yet.

    Attributes:
        sides: left, top, right, bottom: "20" pixels, or "12.5%" of the picture's side.
    """

    sides: tuple[str, ...]

    def within(self, shape: tuple[int, int]) -> Box:
        """The box in a picture of a shape (H, W)."""
        lengths = (*shape[::-1], *shape[::-1])
        left, top, right, bottom = (
            round(float(side[:-1]) / 100 * length) if side.endswith("%") else int(side)
            for side, length in zip(self.sides, lengths, strict=True)
        )
        return left, top, right, bottom


@dataclass(frozen=True)
class Order:
    """One picture to be matted.

    Attributes:
        image: the picture's file.
        trimap: the trimap's file.
        mask: a mask's file, instead of a trimap.
        subject: whether the subject is to be found, where there is neither.
        points: (x, y) on the subject.
        box: around it.
        background: a colour, or a picture's file, to put the subject on.
        output: what is wanted.
        format: of the answer.
        depth: bits of each colour of the answer; None as `deepmatte.Matte.save` takes it.
        straight: whether the colours of an EXR are not multiplied by alpha.
        framing: how the answer is cropped, resized and shadowed.
        most_pixels: that the answer may have; None for all.
        quality: of the matte.
        resize_trimap: whether a trimap of another size is fitted to the picture.
    """

    image: bytes
    trimap: bytes | None
    mask: bytes | None
    subject: bool
    points: tuple[Point, ...]
    box: Region | None
    background: str | bytes | None
    output: Output
    format: Format
    depth: Depth | None
    straight: bool
    framing: Framing
    most_pixels: int | None
    quality: Quality
    resize_trimap: bool


def order(
    files: Sequence[tuple[str, bytes]], texts: Sequence[tuple[str, str]], *, finds: bool
) -> Order:
    """The order of a request.

    Args:
        files: names and contents of its files.
        texts: names and values of its fields, those of the query included.
        finds: whether the subject is to be found where nothing is said about it.

    Raises:
        ImageError: the format cannot hold the depth.
        DataError: a field is unknown, has a wrong value or is said twice, or there is no picture,
            or nothing that says what its subject is.
    """
    given = _once("file", [(_SYNONYMS.get(name, name), content) for name, content in files], FILES)
    said = [(_SYNONYMS.get(name, name), value.strip()) for name, value in texts]
    said = [pair for pair in said if not _asks_nothing(*pair)]
    points = tuple(_point(value) for name, value in said if name == "point")
    fields = _once("field", [pair for pair in said if pair[0] != "point"], TEXTS)
    if "image" not in given:
        raise DataError("There is no picture; expected one as the body or as the file 'image'.")
    box = _region(fields["box"]) if "box" in fields else None
    subject = _flag(fields, "subject") or bool(points) or box is not None
    marked = [name for name in ("trimap", "mask") if name in given] + ["subject"] * subject
    if len(marked) > 1:
        raise DataError(f"{' and '.join(marked)} came; expected one of trimap, mask and subject.")
    if not marked and not finds:
        raise DataError(
            "Nothing says what the subject is; expected a file 'trimap', a file 'mask',"
            " subject=true to find it, or a box."
        )
    if fields.get("size", "auto") not in SIZES:
        raise DataError(f"size={fields['size']!r}; expected one of {', '.join(SIZES)}.")
    background = _background(given.get("background"), fields.get("background"))
    output = _choice(fields, "output", get_args(Output), "composite" if background else "cutout")
    if (output == "composite") != (background is not None):
        raise DataError(
            f"output={output} {'without' if background is None else 'with'} a background; expected"
            " a background with output=composite, and with nothing else."
        )
    kind: Format = _choice(fields, "format", get_args(Format), "png")
    return Order(
        image=given["image"],
        trimap=given.get("trimap"),
        mask=given.get("mask"),
        subject=subject or not marked,
        points=points,
        box=box,
        background=background,
        output=output,
        format=kind,
        depth=_depth(fields, kind),
        straight=_flag(fields, "straight"),
        framing=_framing(fields),
        most_pixels=SIZES[fields.get("size", "auto")],
        quality=_choice(fields, "quality", get_args(Quality), "normal"),
        resize_trimap=_flag(fields, "resize_trimap"),
    )


def _once(kind: str, pairs: Sequence[tuple[str, Any]], known: Sequence[str]) -> dict[str, Any]:
    """Names and values, none of them unknown or twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in known:
            raise DataError(f"There is no {kind} {name!r}; expected {', '.join(known)}.")
        if name in found:
            raise DataError(f"The {kind} {name!r} came twice; expected it once.")
        found[name] = value
    return found


def _choice(fields: Mapping[str, str], name: str, known: tuple[Any, ...], default: str) -> Any:
    text = fields.get(name, default)
    value = _VALUES.get(name, {}).get(text, text)
    if value not in known:
        raise DataError(f"{name}={text!r}; expected one of {', '.join(map(str, known))}.")
    return value


def _depth(fields: Mapping[str, str], kind: Format) -> Depth | None:
    if "depth" not in fields:
        return None
    depth: Depth = _choice(fields, "depth", get_args(Depth), "")
    check_depth(".jpg" if kind == "zip" else f".{kind}", depth, "The answer")
    return depth


def _flag(fields: Mapping[str, str], name: str) -> bool:
    text = fields.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise DataError(f"{name}={text!r}; expected true or false.")
    return text in ("true", "1")


def _framing(fields: Mapping[str, str]) -> Framing:
    """Crop, size and shadow; remove.bg's crop is true or false and has a margin beside it."""
    margin, crop = fields.get("crop", "false"), None
    if margin.lower() == "true":
        margin = fields.get("crop_margin", "0")
    if margin.lower() != "false":
        crop = margin_of(margin)
        if crop[0] > _WIDEST[0] or crop[1] > _WIDEST[1]:
            raise DataError(f"The margin {margin!r} is too wide; expected at most 500px or 50%.")
    size = fields.get("resize")
    if size is not None and not re.fullmatch(r"[1-9][0-9]{0,5}", size):
        raise DataError(f"resize={size!r}; expected a whole number of pixels.")
    shadow = fields.get("shadow", "false").lower()
    opacities = {"true": _SHADOW, "false": 0.0}
    opacity = opacities[shadow] if shadow in opacities else opacity_of(shadow)
    return Framing(crop, None if size is None else int(size), opacity)


def _point(text: str) -> Point:
    match = re.fullmatch(rf"({_NUMBER})\s*,\s*({_NUMBER})", text)
    if match is None:
        raise DataError(f"point={text!r}; expected two whole numbers: x,y.")
    return int(match[1]), int(match[2])


def _region(text: str) -> Region | None:
    """The box that a text asks for; None for all of the picture."""
    matches = [_SIDE.fullmatch(side) for side in re.split(r"\s*,\s*|\s+", text)]
    sides = tuple(match[1] or match[2] for match in matches if match is not None)
    if len(matches) != 4 or len(sides) != 4:
        raise DataError(
            f"box={text!r}; expected four whole numbers of pixels, or shares (5%):"
            " left,top,right,bottom."
        )
    whole = tuple("0" if side == "0%" else side for side in sides) == _ALL
    return None if whole else Region(sides)


def _asks_nothing(name: str, value: str) -> bool:
    """Whether a field of remove.bg's changes nothing here.

    Raises:
        DataError: it would, and cannot.
    """
    if name in _NOTHING and value != _NOTHING[name]:
        raise DataError(f"{name}={value!r}; expected {_NOTHING[name]}: the subject stays in place.")
    return name in _HINTS or name in _NOTHING


def _background(file: bytes | None, text: str | None) -> str | bytes | None:
    """A colour or a picture; never a path."""
    if file is not None and text is not None:
        raise DataError("A background came as a file and as a colour; expected one of them.")
    if text is None:
        return file
    for colour in (text, f"#{text}"):  # remove.bg's colours lack the #
        if (
            colour
            and all(parse_colour(end) for end in colour.split(":")[:2])
            and colour.count(":") < 2
        ):
            return colour
    raise DataError(
        f"background={text!r} is no colour; expected one (white, #00b140), two (white:#888), or a"
        " picture as a file."
    )
