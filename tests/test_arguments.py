"""Whatever is given to a public function: a result, or one sentence that says what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import deepmatte
from deepmatte.composite import cutout, over
from deepmatte.foreground import estimate_foreground

PHOTO = np.random.default_rng(5).integers(0, 256, (24, 32, 3)).astype(np.uint8)
LABELS = np.full((24, 32), 128, np.uint8)
LABELS[:6], LABELS[-6:] = 0, 255
ALPHA = (LABELS / 255).astype(np.float32)
WRONG: tuple[Any, ...] = (
    *(None, -1, float("nan"), float("inf"), 10**12, "", "nothing.png", b"abc", Path("/"), {}),
    *((300,), (1, 2, 3), ("a", "b"), [[1, 2], [3]], object(), 1j, np.float32(np.nan)),
    *(np.zeros(5), np.zeros((0, 5), np.uint8), np.zeros((1, 4, 5, 3), np.uint8), np.array(["a"])),
    *(np.full((24, 32), np.nan), np.full((24, 32), None), np.full((24, 32, 3), -5)),
)


def segment(rgb: NDArray[np.uint8], hints: object) -> NDArray[np.float32]:
    """As a segmenter of one's own, but for its attributes."""
    return ALPHA


@pytest.fixture(scope="module")
def calls() -> dict[Callable[..., Any], dict[str, Any]]:
    """Public functions, with arguments that are right."""
    matter = deepmatte.Matter(threads=1)
    made = matter(PHOTO, LABELS)
    trimap = deepmatte.trimap
    return {
        deepmatte.matte: {
            **{"image": PHOTO, "trimap": LABELS, "quality": "normal", "memory": None},
            **{"threads": 1, "resize_trimap": False, "transparency": "keep"},
        },
        deepmatte.Matter: {
            "model": "lite",
            **{"device": "cpu", "threads": 1, "tile": None, "memory": None},
        },
        matter.least_memory: {"shape": (24, 32)},
        deepmatte.find_subject: {"image": PHOTO, "points": (), "box": (4, 4, 28, 20)},
        deepmatte.matte_mask: {
            "image": PHOTO,
            "mask": ALPHA,
            "resize_mask": False,
            "matter": matter,
        },
        made.cropped: {"margin": 2, "share": 0.1},
        made.shadowed: {"opacity": 0.4},
        made.resized: {"longest": 20},
        made.over: {"background": "white"},
        made.save: {"target": Path("/dev/null"), "part": "alpha", "depth": 8},
        made.levels: {"part": "alpha", "depth": 8},
        trimap.open_trimap: {"source": LABELS, "size": (24, 32), "resize": False},
        trimap.from_mask: {"mask": LABELS, "width": 4},
        trimap.from_rough_mask: {"mask": LABELS, "width": 4},
        trimap.from_alpha: {"alpha": ALPHA, "erode": 2, "dilate": 3},
        trimap.from_scribbles: {"image": PHOTO, "strokes": LABELS, "width": 4},
        trimap.from_box: {"image": PHOTO, "box": (4, 4, 28, 20), "width": 4},
        trimap.widen: {"trimap": LABELS, "pixels": 2},
        trimap.checked_box: {"box": (4, 4, 28, 20), "size": (24, 32)},
        estimate_foreground: {"image": PHOTO, "alpha": ALPHA},
        cutout: {"foreground": PHOTO, "alpha": ALPHA},
        over: {"foreground": PHOTO / np.float32(255), "alpha": ALPHA, "background": "white"},
    }


def test_a_wrong_argument_of_any_public_function_is_a_matting_error(
    calls: dict[Callable[..., Any], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # "nothing.png" is a name to write to
    sentences = []
    for function, right in calls.items():
        for name in right:
            for wrong in WRONG:
                try:
                    function(**{**right, name: wrong})
                except deepmatte.MattingError as error:
                    sentences.append(str(error))
                except Exception as error:
                    raise AssertionError(f"{function.__qualname__}({name}={wrong!r})") from error
    assert len(sentences) > 800
    assert [text for text in sentences if not re.fullmatch(r"\S[^\n]{9,300}", text)] == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: deepmatte.trimap.open_trimap(LABELS, (300,)),  # type: ignore[arg-type]
            "The size is (300,); expected (height, width), whole numbers, 1 or more.",
        ),
        (
            lambda: deepmatte.Matter(threads=0),
            "threads is 0; expected a whole number, 1 or more.",
        ),
        (
            lambda: deepmatte.matte_subject(PHOTO, segmenter=segment),  # type: ignore[arg-type]
            "expected a name, or a callable with the attributes name and follows_hints.",
        ),
        (
            lambda: deepmatte.trimap.from_scribbles(PHOTO, LABELS[1:]),
            "The strokes' array is 32 x 23 pixels (width x height) but the picture is 32 x 24;"
            " expected strokes of the picture's size.",
        ),
    ],
)
def test_the_sentence_says_what_came_and_what_was_expected(
    call: Callable[[], object], said: str
) -> None:
    with pytest.raises(deepmatte.MattingError, match=re.escape(said) + "$"):
        call()
