"""Trimaps as people have them, and trimaps made of masks, alphas, strokes and boxes."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from deepmatte.errors import ImageError, TrimapError
from deepmatte.trimap import (
    BACKGROUND,
    FOREGROUND,
    UNKNOWN,
    from_alpha,
    from_box,
    from_mask,
    from_scribbles,
    open_trimap,
    widen,
)

B, U, F = BACKGROUND, UNKNOWN, FOREGROUND

untimed = settings(deadline=None)
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def disc(size: int = 200, radius: float = 50) -> NDArray[np.bool_]:
    """A disc in the middle of a square."""
    down, across = np.mgrid[0:size, 0:size] - (size - 1) / 2
    result: NDArray[np.bool_] = down**2 + across**2 <= radius**2
    return result


def photo_of(subject: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """An orange subject on blue, with some texture and noise on both."""
    noise = np.random.default_rng(0).normal(0, 12, (*subject.shape, 3))
    colours = np.where(subject[..., None], (220, 120, 40), (40, 80, 160))
    return np.clip(colours + noise, 0, 255).astype(np.uint8)


class TestReading:
    @pytest.mark.parametrize(
        ("levels", "expected"),
        [
            (np.array([[0, 128, 255]], np.uint8), [[B, U, F]]),
            (np.array([[0, 1, 127, 254, 255]], np.uint8), [[B, U, U, U, F]]),
            (np.array([[0, 1, 1]], np.uint8), [[B, F, F]]),
            (np.array([[0, 1, 2]], np.uint8), [[B, U, F]]),
            (np.array([[0, 0.5, 1]]), [[B, U, F]]),
            (np.array([[0, 0.5, 1]], np.float16), [[B, U, F]]),
            (np.array([[0, 1e-6, 0.004, 0.996, 1 - 1e-6, 1]], np.float32), [[B, B, U, U, F, F]]),
            (np.array([[False, True]]), [[B, F]]),
            (np.array([[0, 1, 32768, 65534, 65535]], np.uint16), [[B, U, U, U, F]]),
            (np.array([[0, 128, 255]], np.uint16), [[B, U, F]]),
            (np.array([[0, 128, 255]], np.int64), [[B, U, F]]),
            (np.array([[0, 0, 0]], np.uint8), [[B, B, B]]),
            (np.array([[255, 255]], np.uint8), [[F, F]]),
            (np.array([[128, 128]], np.uint8), [[U, U]]),
            (np.array([[128, 255]], np.uint8), [[U, F]]),
            (np.array([[[0], [255]]], np.uint8), [[B, F]]),
        ],
        ids=lambda value: f"{value.dtype}-{value.ravel()[:3]}" if hasattr(value, "dtype") else "",
    )
    def test_levels(self, levels: NDArray[Any], expected: list[list[int]]) -> None:
        trimap = open_trimap(levels)
        assert trimap.dtype == np.uint8
        np.testing.assert_array_equal(trimap, expected)

    def test_files_of_every_kind(self, tmp_path: pathlib.Path) -> None:
        labels = np.repeat(np.array([B, U, F], np.uint8), 16)[None].repeat(16, axis=0)
        grey = Image.fromarray(labels)
        deep = Image.fromarray(labels.astype(np.uint16) * 257)
        kinds = {
            "grey.png": grey,
            "rgb.png": grey.convert("RGB"),
            "rgba.png": grey.convert("RGBA"),
            "palette.png": grey.convert("P"),
            "palette.gif": grey,
            "deep.png": deep,
            "deep.tiff": deep,
            "grey.bmp": grey,
            "rgb.webp": grey.convert("RGB"),
            "grey.jpg": grey,
            "rgb.jpg": grey.convert("RGB"),
        }
        for name, image in kinds.items():
            image.save(tmp_path / name, quality=90)
            np.testing.assert_array_equal(open_trimap(tmp_path / name), labels, err_msg=name)

    def test_two_levels_in_one_bit(self) -> None:
        stored = Image.fromarray(np.array([[False, True]]))
        np.testing.assert_array_equal(open_trimap(encoded(stored)), [[B, F]])

    def test_the_noise_of_a_lossy_file_is_not_unknown_and_no_label(self) -> None:
        # What is foreground in a PNG that holds nothing above 2 is a dark grey in a JPEG.
        dark = Image.fromarray(np.full((16, 16), 2, np.uint8))
        assert set(np.unique(open_trimap(encoded(dark)))) == {F}
        assert set(np.unique(open_trimap(encoded(dark, "JPEG")))) == {B}
        bright = Image.fromarray(np.full((16, 16), 252, np.uint8))
        assert set(np.unique(open_trimap(encoded(bright, "JPEG")))) == {F}

    def test_what_is_transparent_is_unknown(self) -> None:
        rgba = np.array([[[255] * 4, [255, 255, 255, 100], [9, 99, 255, 0], [0, 0, 0, 255]]])
        np.testing.assert_array_equal(open_trimap(rgba.astype(np.uint8)), [[F, U, U, B]])

    def test_a_float_file_may_hold_eight_bit_levels(self) -> None:
        stored = Image.fromarray(np.array([[0, 127, 255]], np.float32))
        np.testing.assert_array_equal(open_trimap(encoded(stored, "TIFF")), [[B, U, F]])
        for other in (127.5, 256, -1):
            stored = Image.fromarray(np.array([[0, other, 255]], np.float32))
            with pytest.raises(ImageError, match=r"expected floats in 0\.\.1"):
                open_trimap(encoded(stored, "TIFF"))

    def test_colours_are_refused(self) -> None:
        with pytest.raises(TrimapError, match="colour"):
            open_trimap(photo_of(disc(20, 5)))

    def test_another_size_is_refused_with_both_sizes(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "trimap.png"
        Image.new("L", (30, 20)).save(path)
        with pytest.raises(TrimapError, match=r"trimap\.png is 30 x 20 .* 60 x 40"):
            open_trimap(path, (40, 60))
        assert open_trimap(path, (20, 30)).shape == (20, 30)

    def test_a_trimap_turned_by_ninety_degrees_gives_a_hint(self) -> None:
        trimap = np.zeros((20, 30), np.uint8)
        with pytest.raises(TrimapError, match="EXIF"):
            open_trimap(trimap, (30, 20))
        with pytest.raises(TrimapError, match=r"same size, or have it resized") as refused:
            open_trimap(trimap, (40, 60))
        assert "EXIF" not in str(refused.value)

    def test_what_cannot_be_read_is_an_image_error(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ImageError, match="does not exist"):
            open_trimap(tmp_path / "missing.png", (5, 5))
        with pytest.raises(ImageError, match="0 to 255"):
            open_trimap(np.array([[0.0, 255.0]]))

    @untimed
    @given(
        hnp.arrays(
            np.uint8, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.sampled_from((B, U, F))
        )
    )
    def test_a_trimap_is_read_as_itself(self, trimap: NDArray[np.uint8]) -> None:
        np.testing.assert_array_equal(open_trimap(trimap), trimap)

    @untimed
    @given(
        hnp.arrays(
            np.uint8,
            hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
            elements=st.sampled_from((B, U, F)),
        ),
        st.integers(1, 30),
        st.integers(1, 30),
    )
    def test_resizing_takes_the_nearest_label(
        self, trimap: NDArray[np.uint8], height: int, width: int
    ) -> None:
        resized = open_trimap(trimap, (height, width), resize=True)
        assert resized.shape == (height, width)
        for row in range(height):
            for column in range(width):
                nearest = (
                    int((row + 0.5) * trimap.shape[0] / height),
                    int((column + 0.5) * trimap.shape[1] / width),
                )
                assert resized[row, column] == trimap[nearest]


class TestFromMask:
    @untimed
    @given(masks, st.floats(0, 12))
    def test_only_pixels_near_a_border_are_unknown(
        self, mask: NDArray[np.bool_], width: float
    ) -> None:
        trimap = from_mask(mask, width=width)
        rows, columns = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
        for row, column in np.ndindex(mask.shape):
            others = mask != mask[row, column]
            distance = np.hypot(rows - row, columns - column)[others].min(initial=np.inf)
            if abs(distance - width / 2) < 1e-3:
                continue  # too close to call in float32
            known = F if mask[row, column] else B
            assert trimap[row, column] == (U if distance <= width / 2 else known)

    @untimed
    @given(masks, st.floats(0, 20), st.floats(0, 20))
    def test_a_wider_band_only_adds_unknown(
        self, mask: NDArray[np.bool_], one: float, other: float
    ) -> None:
        narrow, wide = (from_mask(mask, width=width) for width in sorted((one, other)))
        assert ((narrow == wide) | (wide == U)).all()

    @untimed
    @given(masks)
    def test_the_inverse_mask_gives_the_inverse_trimap(self, mask: NDArray[np.bool_]) -> None:
        trimap, inverse = from_mask(mask, width=3), from_mask(~mask, width=3)
        np.testing.assert_array_equal(trimap == F, inverse == B)
        np.testing.assert_array_equal(trimap == U, inverse == U)

    def test_a_mask_that_touches_the_picture_edge_stays_known_there(self) -> None:
        mask = np.zeros((40, 40), np.uint8)
        mask[:, 20:] = 255
        trimap = from_mask(mask, width=8)
        np.testing.assert_array_equal(trimap, np.tile(trimap[:1], (40, 1)))
        np.testing.assert_array_equal(trimap[0, [0, 15, 16, 23, 24, 39]], [B, B, U, U, F, F])

    def test_soft_levels_are_unknown_whatever_the_width(self) -> None:
        mask = np.array([[0, 10, 11, 128, 239, 240, 255]], np.uint8)
        np.testing.assert_array_equal(from_mask(mask, width=0), [[B, B, U, U, U, F, F]])

    @pytest.mark.parametrize("top", [1, 2, 255])
    def test_labels_up_to_two_are_read_as_in_a_trimap(self, top: int) -> None:
        mask = np.array([[0, top]], np.uint8)
        np.testing.assert_array_equal(from_mask(mask, width=0), [[B, F]])
        np.testing.assert_array_equal(from_mask(np.array([[0, 1, 2]]), width=0), [[B, U, F]])

    def test_the_default_width_grows_with_the_picture(self) -> None:
        small, large = from_mask(disc(100, 30)), from_mask(disc(1000, 300))
        rows = [(trimap[len(trimap) // 2] == U).sum() / 2 for trimap in (small, large)]
        np.testing.assert_allclose(rows, [4, 40], atol=1)
        assert (small == F).any()
        assert (small == B).any()

    def test_a_mask_from_a_file(self, tmp_path: pathlib.Path) -> None:
        Image.fromarray(disc()).save(tmp_path / "mask.png")
        np.testing.assert_array_equal(from_mask(tmp_path / "mask.png"), from_mask(disc()))

    @pytest.mark.parametrize("width", [-1, float("nan"), float("inf")])
    def test_an_impossible_width_is_refused(self, width: float) -> None:
        with pytest.raises(TrimapError, match="width"):
            from_mask(disc(), width=width)


class TestFromAlpha:
    @untimed
    @given(
        hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)),
        st.integers(0, 5),
        st.integers(0, 5),
    )
    def test_known_pixels_are_right_and_soft_ones_unknown(
        self, alpha: NDArray[np.uint8], erode: int, dilate: int
    ) -> None:
        alpha[0, 0] = 255  # an array of nothing above 1 would be read as 0 and 1
        trimap = from_alpha(alpha, erode=erode, dilate=dilate)
        assert (alpha[trimap == F] == 255).all()
        assert (alpha[trimap == B] == 0).all()
        if erode == 0 and dilate == 0:
            np.testing.assert_array_equal(trimap == U, (alpha > 0) & (alpha < 255))

    def test_both_sides_are_widened_apart(self) -> None:
        alpha = np.zeros((5, 60), np.float32)
        alpha[:, 30:] = 1
        row = from_alpha(alpha, erode=7, dilate=3)[2]
        assert (row[:27] == B).all()
        assert (row[27:37] == U).all()
        assert (row[37:] == F).all()

    def test_by_default_both_sides_are_widened(self) -> None:
        trimap = from_alpha(disc(500, 150))
        assert ((trimap == U) & disc(500, 150)).any()
        assert ((trimap == U) & ~disc(500, 150)).any()

    @pytest.mark.parametrize("name", ["erode", "dilate"])
    def test_a_negative_number_is_refused(self, name: str) -> None:
        with pytest.raises(TrimapError, match=name):
            from_alpha(disc(), **{name: -1})


class TestFromScribbles:
    subject = disc()
    photo = photo_of(disc())

    def strokes(self) -> NDArray[np.uint8]:
        strokes = np.full((200, 200), U, np.uint8)
        strokes[95:105, 80:120] = F
        strokes[10:14, 20:180] = B
        return strokes

    def check(self, trimap: NDArray[np.uint8]) -> None:
        assert self.subject[trimap == F].mean() > 0.999
        assert self.subject[trimap == B].mean() < 0.001
        assert 0.01 < (trimap == U).mean() < 0.2

    def test_strokes_grow_to_the_border_of_the_subject(self) -> None:
        trimap = from_scribbles(self.photo, self.strokes())
        self.check(trimap)
        known = self.strokes() != U
        np.testing.assert_array_equal(trimap[known], self.strokes()[known])

    def test_strokes_on_transparency(self) -> None:
        strokes = self.strokes()
        layer = np.dstack([strokes] * 3 + [np.where(strokes == U, 0, 255).astype(np.uint8)])
        layer[strokes == U, :3] = 0
        np.testing.assert_array_equal(
            from_scribbles(self.photo, encoded(Image.fromarray(layer))),
            from_scribbles(self.photo, strokes),
        )

    def test_strokes_as_masks(self) -> None:
        strokes = self.strokes()
        trimap = from_scribbles(self.photo, foreground=strokes == F, background=strokes == B)
        np.testing.assert_array_equal(trimap, from_scribbles(self.photo, strokes))

    def test_single_pixels_on_a_large_picture_are_enough(self) -> None:
        subject = disc(1000, 300)
        strokes = np.full((1000, 1000), U, np.uint8)
        strokes[500, 500], strokes[20, 20] = F, B
        trimap = from_scribbles(photo_of(subject), strokes)
        assert subject[trimap == F].mean() > 0.99
        assert subject[trimap == B].mean() < 0.01
        assert (trimap == F).mean() > 0.2

    def test_foreground_without_a_stroke_is_dropped(self) -> None:
        twice = np.hstack([self.subject, self.subject])
        strokes = np.full(twice.shape, U, np.uint8)
        strokes[:, :200] = self.strokes()
        trimap = from_scribbles(photo_of(twice), strokes)
        self.check(trimap[:, :200])
        assert (trimap[:, 230:] == B).all()

    def test_the_same_call_gives_the_same_trimap(self) -> None:
        # Patches of all colours: what GrabCut finds here depends on where its clusters start.
        generator = np.random.default_rng(2)
        patches = generator.random((10, 10, 3)).repeat(8, axis=0).repeat(8, axis=1)
        photo = np.clip(patches + generator.normal(0, 0.03, patches.shape), 0, 1)
        trimaps = []
        for seed in (1, 12345):
            cv2.setRNGSeed(seed)
            trimaps.append(from_box(photo, (16, 16, 64, 64), width=1))
        np.testing.assert_array_equal(trimaps[0], trimaps[1])

    def test_strokes_that_meet_in_one_pixel_of_the_small_copy(self) -> None:
        strokes = np.full((1000, 1000), U, np.uint8)
        strokes[500, 500], strokes[500, 501] = F, B
        trimap = from_scribbles(photo_of(disc(1000, 300)), strokes)
        assert trimap[500, 500] == F
        assert trimap[500, 501] == B

    def test_the_width_of_the_band(self) -> None:
        narrow, wide = (from_scribbles(self.photo, self.strokes(), width=w) for w in (4, 24))
        assert (wide == U).sum() > 4 * (narrow == U).sum()

    def test_strokes_everywhere_are_taken_as_they_are(self) -> None:
        strokes = np.where(self.subject, F, B).astype(np.uint8)
        np.testing.assert_array_equal(from_scribbles(self.photo, strokes), strokes)

    @pytest.mark.parametrize("missing", [F, B])
    def test_both_kinds_are_needed(self, missing: int) -> None:
        strokes = self.strokes()
        strokes[strokes == missing] = U
        with pytest.raises(TrimapError, match="both kinds"):
            from_scribbles(self.photo, strokes)

    def test_other_sizes_are_refused(self) -> None:
        with pytest.raises(TrimapError, match=r"100 x 50 .* 200 x 200"):
            from_scribbles(self.photo, np.zeros((50, 100), np.uint8))
        with pytest.raises(TrimapError, match=r"100 x 50 .* 200 x 200"):
            from_scribbles(self.photo, foreground=np.zeros((50, 100), np.uint8))


class TestFromBox:
    subject = disc()
    photo = photo_of(disc())

    def test_the_subject_in_the_box_is_found(self) -> None:
        trimap = from_box(self.photo, (40, 42, 160, 158))
        assert self.subject[trimap == F].mean() > 0.999
        assert self.subject[trimap == B].mean() < 0.001
        assert 0.01 < (trimap == U).mean() < 0.2
        assert set(np.unique(trimap)) == {B, U, F}

    def test_everything_outside_is_background(self) -> None:
        trimap = from_box(self.photo, (60, 70, 150, 160), width=60)
        outside = np.ones((200, 200), bool)
        outside[70:160, 60:150] = False
        assert (trimap[outside] == B).all()
        assert (trimap[~outside] != B).any()

    def test_a_small_box_in_a_large_picture(self) -> None:
        subject = np.zeros((900, 1200), bool)
        subject[300:340, 1000:1040] = disc(40, 15)
        trimap = from_box(photo_of(subject), (1000, 300, 1040, 340), width=4)
        found = trimap == F
        assert subject[found].mean() > 0.99
        assert found.sum() > 0.5 * subject.sum()

    @pytest.mark.parametrize(
        ("thickness", "slope", "noise"), [(3, 40, 4), (10, 40, 15), (10, 0, 4), (30, 40, 4)]
    )
    def test_the_hole_of_a_ring_is_no_foreground(
        self, thickness: int, slope: int, noise: int
    ) -> None:
        rows, columns = np.mgrid[:300, :300]
        from_centre = np.hypot(rows - 150, columns - 150)
        ring = np.clip(thickness / 2 - np.abs(from_centre - 100) + 0.5, 0, 1)[..., None]
        wall = np.stack([60 + slope * columns / 300, 90 + slope * rows / 300, rows * 0 + 160], -1)
        photo = ring * (220, 140, 40) + (1 - ring) * wall
        photo += np.random.default_rng(0).normal(0, noise, photo.shape)
        edge = 108 + thickness
        box = (150 - edge, 150 - edge, 150 + edge, 150 + edge)

        trimap = from_box(np.clip(np.rint(photo), 0, 255).astype(np.uint8), box)

        assert (trimap[from_centre < 90 - thickness / 2] != F).all()
        assert (trimap[ring[..., 0] > 0.9] != B).all()
        assert (trimap == U).mean() < 0.7

    def test_where_nothing_differs_the_box_is_unknown(self) -> None:
        trimap = from_box(np.full((60, 60, 3), 90, np.uint8), (20, 20, 40, 40))
        assert (trimap[20:40, 20:40] != B).all()

    @settings(untimed, max_examples=25)
    @given(st.data())
    def test_any_box_gives_a_trimap(self, data: st.DataObject) -> None:
        height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 12))
        left = data.draw(st.integers(0, width - 1))
        top = data.draw(st.integers(0, height - 1))
        right = data.draw(st.integers(left + 1, width))
        bottom = data.draw(st.integers(top + 1, height))
        picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        if (right - left, bottom - top) == (width, height):
            right -= 1
        if right == left:
            return
        trimap = from_box(picture, (left, top, right, bottom))
        assert trimap.shape == (height, width)
        assert set(np.unique(trimap)) <= {B, U, F}

    @pytest.mark.parametrize(
        "box",
        [
            (-1, 0, 50, 50),
            (0, 0, 201, 50),
            (0, 0, 50, 201),
            (50, 0, 50, 50),
            (60, 0, 50, 50),
            (0, 0, 200, 200),
            (0, 0, 50),
            "box",
            (0, 0, float("nan"), 5),
            None,
        ],
    )
    def test_impossible_boxes_are_refused(self, box: Any) -> None:
        with pytest.raises(TrimapError, match="box"):
            from_box(self.photo, box)


class TestWiden:
    trimaps = hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.sampled_from([B, U, F]),
    )

    @staticmethod
    def distances(trimap: NDArray[np.uint8], label: int) -> NDArray[np.float64]:
        """How far each pixel is from the nearest with this label, by definition."""
        found = np.full(trimap.shape, np.inf)
        for place in np.argwhere(trimap == label):
            down, across = np.indices(trimap.shape) - place[:, None, None]
            found = np.minimum(found, np.hypot(down, across))
        return found

    @untimed
    @given(trimaps, st.integers(1, 6), st.integers(1, 6))
    def test_what_is_near_unknown_pixels_becomes_unknown(
        self, trimap: NDArray[np.uint8], less: int, more: int
    ) -> None:
        narrow, wide = widen(trimap, less), widen(trimap, less + more)

        assert (wide[narrow == U] == U).all()
        np.testing.assert_array_equal(narrow[narrow != U], trimap[narrow != U])
        near = self.distances(trimap, U) <= less + 1e-4
        np.testing.assert_array_equal(narrow == U, near)

    @untimed
    @given(trimaps, st.integers(1, 6))
    def test_what_is_near_known_pixels_becomes_what_they_are(
        self, trimap: NDArray[np.uint8], pixels: int
    ) -> None:
        narrow = widen(trimap, -pixels)

        np.testing.assert_array_equal(narrow[trimap != U], trimap[trimap != U])
        background, foreground = (self.distances(trimap, label) for label in (B, F))
        near = np.minimum(background, foreground) <= pixels + 1e-4
        np.testing.assert_array_equal(narrow == U, (trimap == U) & ~near)
        decided = near & (trimap == U) & ~np.isclose(background, foreground)
        nearer = np.where(foreground < background, F, B)
        np.testing.assert_array_equal(narrow[decided], nearer[decided])

    @given(trimaps)
    def test_by_nothing_it_stays(self, trimap: NDArray[np.uint8]) -> None:
        same = widen(trimap, 0)

        np.testing.assert_array_equal(same, trimap)
        assert same is not trimap

    @pytest.mark.parametrize("pixels", [float("nan"), float("inf")])
    def test_no_number_is_refused(self, pixels: float) -> None:
        with pytest.raises(TrimapError, match="finite number"):
            widen(np.zeros((2, 2), np.uint8), pixels)
