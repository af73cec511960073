"""Data sets of composites: Composition-1k to the last bit, and one's own test set."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run_as_text
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms
from test_images import grey_profile

from deepmatte.composite import over
from deepmatte.datasets import composition_1k, testset
from deepmatte.datasets.build import Composite, Plan, build
from deepmatte.datasets.layouts import open_dataset
from deepmatte.errors import DataError, ImageError
from deepmatte.images import open_unmanaged

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 30, 40
BYTE = st.integers(0, 255)


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def compose(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_as_text("compose", *arguments, folder=folder)


def assert_one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("deepmatte: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


# --- Composition-1k's rule ----------------------------------------------------------------------


def by_the_rule(foreground: Path, alpha: Path, background: Path) -> NDArray[np.uint8]:
    """The rule word by word, pixel by pixel, in Python's own (double precision) numbers."""
    stored = Image.open(foreground)
    stored.info.pop("transparency", None)
    front = stored.convert("RGB")
    behind = Image.open(background).convert("RGB")
    levels = Image.open(alpha).convert("RGB").getchannel(0)
    w, h = front.size
    bw, bh = behind.size
    ratio = max(w / bw, h / bh)
    if ratio > 1:
        size = (math.ceil(bw * ratio), math.ceil(bh * ratio))
        behind = behind.resize(size, Image.Resampling.BICUBIC)
    behind = behind.crop((0, 0, w, h))
    shares, fronts, behinds = (np.asarray(image).tolist() for image in (levels, front, behind))
    composite = np.zeros((h, w, 3), np.uint8)
    for y in range(h):
        for x in range(w):
            a = shares[y][x] / 255
            for channel in range(3):
                f, b = fronts[y][x][channel], behinds[y][x][channel]
                composite[y, x, channel] = int(a * f + (1 - a) * b)
    return composite


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(path: Path, inserted: bytes) -> None:
    """Put a chunk behind a PNG's header, where a colour profile belongs."""
    data = path.read_bytes()
    path.write_bytes(data[:33] + inserted + data[33:])


def palette(rgb: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(rgb).quantize(16)


def save_palette_with_transparency(path: Path, rgb: NDArray[np.uint8]) -> None:
    palette(rgb).save(path, transparency=bytes(range(16)))


def save_with_profile(path: Path, rgb: NDArray[np.uint8]) -> None:
    """A profile whose red and blue are exchanged: whoever honours it sees other colours."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = data.index(b"rXYZ"), data.index(b"bXYZ")
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    Image.fromarray(rgb).save(path, icc_profile=bytes(data))


FOREGROUNDS: dict[str, Callable[[Path, NDArray[np.uint8]], None]] = {
    "RGB": lambda path, rgb: Image.fromarray(rgb).save(path),
    "RGBA": lambda path, rgb: Image.fromarray(np.dstack([rgb, rgb[..., 0]])).save(path),
    "grey": lambda path, rgb: Image.fromarray(rgb[..., 0]).save(path),
    "grey and alpha": lambda path, rgb: Image.fromarray(rgb[..., :2], "LA").save(path),
    "palette": lambda path, rgb: palette(rgb).save(path),
    "palette with transparency": save_palette_with_transparency,
    "two levels": lambda path, rgb: Image.fromarray(rgb[..., 0] > 99).save(path),
    "profile": save_with_profile,
    "grey with a profile": lambda path, rgb: Image.fromarray(rgb[..., 0]).save(
        path, icc_profile=grey_profile(1.2)
    ),
    "colour key": lambda path, rgb: Image.fromarray(rgb).save(
        path, transparency=tuple(rgb[0, 0].tolist())
    ),
}

BACKGROUNDS = {
    "larger": (50, 60),
    "equal": (HEIGHT, WIDTH),
    "too narrow": (70, 23),
    "too low": (17, 90),
    "both, by the width": (29, 13),
    "both, by the height": (7, 33),
    "a ratio that is no fraction of two": (11, 7),
    "one pixel": (1, 1),
}


def sample(folder: Path) -> Composite:
    sources = {role: folder / f"{role}.png" for role in ("foreground", "alpha", "background")}
    return Composite("it", sources, {})


@pytest.fixture
def trio(tmp_path: Path) -> Composite:
    """A foreground, an alpha and a larger background; `foreground.png`, ..."""
    Image.fromarray(noise(HEIGHT, WIDTH, 3)).save(tmp_path / "foreground.png")
    Image.fromarray(noise(HEIGHT, WIDTH, seed=1)).save(tmp_path / "alpha.png")
    Image.fromarray(noise(50, 60, 3, seed=2)).save(tmp_path / "background.png")
    return sample(tmp_path)


def assert_by_the_rule(trio: Composite) -> None:
    composed = composition_1k.render(trio)
    np.testing.assert_array_equal(composed["merged"], by_the_rule(*trio.sources.values()))


@pytest.mark.parametrize("kind", FOREGROUNDS)
def test_any_kind_of_foreground_composes_by_the_rule(kind: str, trio: Composite) -> None:
    FOREGROUNDS[kind](trio.sources["foreground"], noise(HEIGHT, WIDTH, 3, seed=3))

    assert_by_the_rule(trio)


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_any_size_of_background_composes_by_the_rule(kind: str, trio: Composite) -> None:
    Image.fromarray(noise(*BACKGROUNDS[kind], 3, seed=4)).save(trio.sources["background"])

    assert_by_the_rule(trio)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_backgrounds_of_other_modes_compose_by_the_rule(mode: str, trio: Composite) -> None:
    photo = Image.fromarray(noise(20, 25, 3, seed=5)).convert(mode)
    photo.save(trio.sources["background"].with_suffix(".jpg"))
    sources = {
        **trio.sources,
        "background": trio.sources["background"].with_suffix(".jpg"),
    }

    assert_by_the_rule(Composite("it", sources, {}))


def test_the_orientation_of_a_background_is_ignored(trio: Composite) -> None:
    expected = composition_1k.render(trio)["merged"]
    exif = Image.Exif()
    exif[274] = 6
    Image.open(trio.sources["background"]).save(trio.sources["background"], exif=exif)

    np.testing.assert_array_equal(composition_1k.render(trio)["merged"], expected)


@pytest.mark.parametrize(
    "broken",
    [
        chunk(b"iCCP", b"name\0\0no deflated data"),
        chunk(b"iCCP", b"name\0\7" + zlib.compress(b"a method that there is not")),
        chunk(b"iCCP", b"no end of its name"),
        chunk(b"iCCP", b"name\0\0" + zlib.compress(b"sum"))[:-4] + b"\0\0\0\0",
    ],
    ids=["not deflated", "unknown method", "no terminator", "wrong checksum"],
)
def test_a_broken_profile_is_passed_over(broken: bytes, trio: Composite) -> None:
    expected = composition_1k.render(trio)["merged"]
    # Other files, since the last pair of foreground and alpha is remembered.
    sources = dict(trio.sources)
    for role in ("foreground", "alpha"):
        sources[role] = trio.sources[role].with_name(f"broken-{role}.png")
        sources[role].write_bytes(trio.sources[role].read_bytes())
        with_chunk(sources[role], broken)

    np.testing.assert_array_equal(
        composition_1k.render(Composite("it", sources, {}))["merged"], expected
    )


ALPHAS: dict[str, Callable[[NDArray[np.uint8]], Image.Image]] = {
    "L": Image.fromarray,
    "RGB": lambda levels: Image.fromarray(np.dstack([levels] * 3)),
    "RGBA": lambda levels: Image.fromarray(np.dstack([levels] * 3 + [255 - levels])),
    "LA": lambda levels: Image.fromarray(np.dstack([levels, 255 - levels]), "LA"),
    "P": lambda levels: Image.fromarray(np.dstack([levels // 17 * 17] * 3)).quantize(16),
    "1": lambda levels: Image.fromarray(levels > 127),
    "I;16": lambda levels: Image.fromarray(levels * np.uint16(257)),
}


@pytest.mark.parametrize("mode", ALPHAS)
def test_alphas_of_any_mode_mean_the_same(mode: str, trio: Composite) -> None:
    levels = noise(HEIGHT, WIDTH, seed=6)
    image = ALPHAS[mode](levels)
    assert image.mode == mode
    image.save(trio.sources["alpha"])
    expected = {"P": levels // 17 * 17, "1": np.where(levels > 127, 255, 0)}.get(mode, levels)

    composed = composition_1k.render(trio)

    np.testing.assert_array_equal(composed["alpha_copy"], expected)
    if mode != "I;16":  # the rule's own words clip it: see `open_unmanaged`
        assert_by_the_rule(trio)


def test_an_alpha_of_three_channels_gives_the_first(trio: Composite) -> None:
    levels = noise(HEIGHT, WIDTH, 3, seed=7)
    Image.fromarray(levels).save(trio.sources["alpha"])

    np.testing.assert_array_equal(composition_1k.render(trio)["alpha_copy"], levels[..., 0])


@given(alpha=BYTE, foreground=BYTE, background=BYTE)
def test_the_blend_truncates_in_double_precision(
    alpha: int, foreground: int, background: int
) -> None:
    grey = [np.full((1, 1, 3), level, np.uint8) for level in (foreground, background)]
    share = alpha / 255

    blended = composition_1k.blend_truncated(grey[0], np.full((1, 1), alpha, np.uint8), grey[1])

    assert (blended == int(share * foreground + (1 - share) * background)).all()


def test_the_blend_is_neither_rounded_nor_of_single_precision() -> None:
    share = np.arange(256, dtype=np.uint8)[:, None]
    front, behind = (np.broadcast_to(noise(256, 3, seed=s), (256, 256, 3)) for s in (8, 9))
    single = (share / 255).astype(np.float32)[..., None]
    in_single = single * front.astype(np.float32) + (1 - single) * behind.astype(np.float32)
    in_double = share[..., None] / 255 * front + (1 - share[..., None] / 255) * behind

    blended = composition_1k.blend_truncated(front, np.broadcast_to(share, (256, 256)), behind)

    assert (blended != in_single.astype(np.uint8)).any()
    assert (blended != np.rint(in_double)).any()
    np.testing.assert_array_equal(blended, in_double.astype(np.uint8))


def test_foreground_and_alpha_of_different_sizes_are_refused(trio: Composite) -> None:
    Image.fromarray(noise(HEIGHT, WIDTH - 1)).save(trio.sources["alpha"])

    with pytest.raises(DataError, match=r"alpha\.png is 39 x 30 .*foreground\.png is 40 x 30"):
        composition_1k.render(trio)


def test_a_background_blown_up_beyond_all_measure_is_refused(trio: Composite) -> None:
    Image.fromarray(noise(20000, 1, 3)).save(trio.sources["background"])
    Image.fromarray(noise(1, 5000, 3)).save(trio.sources["foreground"])
    Image.fromarray(noise(1, 5000)).save(trio.sources["alpha"])

    with pytest.raises(ImageError, match="megapixels"):
        composition_1k.render(trio)


def test_reading_unmanaged_refuses_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    for name in ("cut.png", "missing.png"):
        with pytest.raises(ImageError, match=name):
            open_unmanaged(tmp_path / name)


# --- Composition-1k as a command ----------------------------------------------------------------

TEST_SET = (
    *("composition-1k", "--foregrounds", "fg", "--alphas", "alpha"),
    *("--foregrounds", "other/fg", "--alphas", "other/alpha", "--backgrounds", "voc"),
    *("--foreground-names", "fg.txt", "--background-names", "bg.txt", "--out", "out"),
)


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two foregrounds in two folders, 40 backgrounds of different sizes, and what was composed."""
    folder = tmp_path_factory.mktemp("composition-1k")
    for index, name in enumerate(("fg/cat 1.png", "other/fg/dog.2.jpg")):
        path = folder / name
        matte = folder / name.replace("fg/", "alpha/")
        path.parent.mkdir(parents=True)
        matte.parent.mkdir(parents=True)
        Image.fromarray(noise(12, 16 + index, 3, seed=index)).save(path)
        Image.fromarray(noise(12, 16 + index, seed=index)).save(matte)
    (folder / "voc").mkdir()
    names = [f"2008_{index:06}.jpg" for index in range(40)]
    for index, name in enumerate(names):
        Image.fromarray(noise(4 + index, 30 - index // 2, 3, seed=index)).save(
            folder / "voc" / name
        )
    # As some editors write lists: a byte order mark, ends of lines of another system, empty lines.
    (folder / "fg.txt").write_bytes(b"\xef\xbb\xbfcat 1.png\r\ndog.2.jpg\r\n\r\n")
    (folder / "bg.txt").write_text("\n".join(names))

    done = compose(*TEST_SET, folder=folder)

    assert done.returncode == 0, done.stderr
    assert "40 composites made, 0 were there already" in done.stderr
    assert "40/40" in done.stderr
    return folder


@pytest.fixture
def copied(composed: Path, tmp_path: Path) -> Path:
    """A copy of `composed` to play with."""
    for name, data in contents(composed).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def test_foregrounds_take_their_backgrounds_in_turn(composed: Path) -> None:
    for index, (front, matte) in enumerate(
        (("fg/cat 1.png", "alpha/cat 1.png"), ("other/fg/dog.2.jpg", "other/alpha/dog.2.jpg"))
    ):
        for place in range(20):
            background = composed / "voc" / f"2008_{20 * index + place:06}.jpg"
            name = f"{Path(front).stem}_{place}.png"
            expected = by_the_rule(composed / front, composed / matte, background)
            np.testing.assert_array_equal(pixels(composed / "out/merged" / name), expected)
            np.testing.assert_array_equal(
                pixels(composed / "out/alpha_copy" / name), pixels(composed / matte)
            )
    assert len(contents(composed / "out")) == 2 * 40 + 1


def test_the_result_is_what_evaluation_reads(composed: Path) -> None:
    dataset = open_dataset(composed / "out")

    assert len(dataset.samples) == 40
    assert dataset.samples[0].name == "cat 1_0"


def test_a_second_run_makes_only_what_is_not_whole(copied: Path) -> None:
    before = contents(copied / "out")
    (copied / "out/merged/cat 1_3.png").unlink()
    cut = copied / "out/alpha_copy/dog.2_7.png"
    cut.write_bytes(cut.read_bytes()[:-20])
    changed = copied / "out/merged/dog.2_8.png"
    Image.fromarray(noise(12, 17, 3)).save(changed)
    Image.fromarray(noise(40, 41, 3)).save(copied / "voc/2008_000000.jpg")
    times = {path: path.stat().st_mtime_ns for path in (copied / "out/merged").iterdir()}

    done = compose(*TEST_SET, folder=copied)

    assert done.returncode == 0, done.stderr
    assert "4 composites made, 36 were there already" in done.stderr
    after = contents(copied / "out")
    assert {name for name in after if after[name] != before[name]} == {
        "merged/cat 1_0.png",
        "manifest.json",
    }
    again = {path.name for path, then in times.items() if path.stat().st_mtime_ns != then}
    assert again == {"cat 1_0.png", "dog.2_7.png", "dog.2_8.png"}


def test_a_corrupt_input_costs_only_its_own_composites(copied: Path) -> None:
    for path in (copied / "out").rglob("*.png"):
        path.unlink()
    for name in ("fg/cat 1.png", "voc/2008_000025.jpg"):
        path = copied / name
        path.write_bytes(path.read_bytes()[:100])
    matte = copied / "other/alpha/dog.2.jpg"
    before = matte.read_bytes()
    (copied / "out/alpha_copy/dog.2_19.png").symlink_to(matte)

    done = compose(*TEST_SET, folder=copied)

    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("deepmatte: ")]
    assert len(lines) == 4
    assert sum("cat 1.png cannot be read" in line for line in lines) == 1
    assert sum("2008_000025.jpg" in line for line in lines) == 1
    assert sum("dog.2_19.png is a link" in line for line in lines) == 1
    assert matte.read_bytes() == before  # an input is never written, not even through a link
    assert "22 of 40 composites could not be made" in lines[-1]
    assert "Traceback" not in done.stderr
    assert len(contents(copied / "out/merged")) == 18
    manifest = json.loads((copied / "out/manifest.json").read_text())
    assert len(manifest["samples"]) == 18


def test_missing_inputs_are_named_at_once_and_nothing_is_written(composed: Path) -> None:
    missing = ["alpha/cat 1.png", "voc/2008_000003.jpg"]
    hidden = {composed / name: (composed / name).read_bytes() for name in missing}
    arguments = [*TEST_SET[:-1], "elsewhere"]
    try:
        for path in hidden:
            path.unlink()
        message = assert_one_sentence(compose(*arguments, folder=composed))
    finally:
        for path, data in hidden.items():
            path.write_bytes(data)

    assert "2 input files do not exist" in message
    assert all(name in message for name in missing)
    assert not (composed / "elsewhere").exists()


def plan_of(folder: Path, **changes: Any) -> Plan:
    arguments: dict[str, Any] = {
        "foregrounds": [folder / "fg", folder / "other/fg"],
        "alphas": [folder / "alpha", folder / "other/alpha"],
        "backgrounds": [folder / "voc"],
        "foreground_names": folder / "fg.txt",
        "background_names": folder / "bg.txt",
    }
    return composition_1k.plan(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("lists", "complaint"),
    [
        (("a.png\nb.png", "x.jpg\n" * 39), "names 39 backgrounds; expected 20 for .* 2 .*, 40"),
        (("a.png\nb.png", "x.jpg\n" * 43), "names 43 backgrounds; expected 20"),
        (("a.png\na.jpg", "x.jpg\n" * 40), r"twice: a;"),
        (("\n", "x.jpg\n"), r"fg\.txt is empty"),
        (("a.png", "x.jpg\n" * 20), "3 input files do not exist"),
    ],
)
def test_lists_that_do_not_fit_are_refused(
    lists: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "fg.txt").write_text(lists[0])
    (tmp_path / "bg.txt").write_text(lists[1])

    with pytest.raises(DataError, match=complaint):
        plan_of(tmp_path)


def test_unreadable_lists_are_refused(composed: Path, tmp_path: Path) -> None:
    binary = tmp_path / "names.txt"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (binary, tmp_path / "none.txt", tmp_path):
        with pytest.raises(DataError, match="cannot be read as a list"):
            plan_of(composed, foreground_names=path)


@pytest.mark.parametrize(
    ("out", "alpha"),
    [("fg", "alpha"), ("voc/new", "alpha"), (".", "merged"), (".", "alpha_copy/of/something")],
)
def test_nothing_is_written_among_the_inputs(out: str, alpha: str, copied: Path) -> None:
    (copied / alpha).parent.mkdir(parents=True, exist_ok=True)
    (copied / "alpha").rename(copied / alpha)
    plan = plan_of(copied, alphas=[copied / alpha, copied / "other/alpha"])
    before = contents(copied)

    with pytest.raises(DataError, match="not apart from the input"):
        build(plan, copied / out)

    assert contents(copied) == before


def test_results_of_other_lists_are_not_mixed(copied: Path) -> None:
    (copied / "fg.txt").write_text("dog.2.jpg")
    (copied / "bg.txt").write_text("2008_000000.jpg\n" * 20)

    with pytest.raises(DataError, match=r"20 composites that these .* \(cat 1_0, .* and 10 more\)"):
        build(plan_of(copied), copied / "out")


@pytest.mark.parametrize("entry", [3, None, [], {}, {"outputs": 3}, {"outputs": {"alpha": 5}}])
def test_an_entry_that_was_changed_is_made_again(copied: Path, entry: Any) -> None:
    manifest = json.loads((copied / "out/manifest.json").read_text())
    before = contents(copied / "out")
    first = next(iter(manifest["samples"]))
    manifest["samples"][first] = entry
    (copied / "out/manifest.json").write_text(json.dumps(manifest))

    for _ in build(plan_of(copied), copied / "out"):
        pass

    assert contents(copied / "out") == before


def test_results_of_other_settings_are_not_mixed(copied: Path) -> None:
    (copied / "bg.txt").write_text("2008_000000.jpg\n" * 2)

    with pytest.raises(DataError, match="other rules or settings"):
        build(plan_of(copied, per_foreground=1), copied / "out")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"samples": {}}', '{"samples": 3}', "{", '{"samples": [1]}', "[" * 100_000]
)
def test_a_strangers_manifest_is_left_alone(text: str, composed: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(DataError, match="is not a manifest of deepmatte"):
        build(plan_of(composed), tmp_path)

    assert contents(tmp_path) == {"manifest.json": text.encode()}


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups to interrupt")
@pytest.mark.parametrize("after", [0, 4])
def test_ctrl_c_leaves_whole_files_and_the_next_run_goes_on(after: int, copied: Path) -> None:
    (copied / "bg.txt").write_text("2008_000007.jpg\n" * 120)
    arguments = [*TEST_SET[:-1], "stopped", "--per-foreground", "60"]
    command = [sys.executable, "-m", "deepmatte", "compose", *arguments]
    with subprocess.Popen(
        command, cwd=copied, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        stopped = copied / "stopped"
        while len(list(stopped.glob("merged/*.png"))) < after or not list(stopped.glob("*.json")):
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        said = process.communicate(timeout=60)[1]

    assert process.returncode == 130, said
    assert "Traceback" not in said
    made = contents(copied / "stopped")
    assert len(made) < 240
    for name in made:
        if name.endswith(".png"):
            pixels(copied / "stopped" / name)
    known = json.loads(made["manifest.json"])["samples"]
    done = compose(*arguments, folder=copied)
    assert f"{120 - len(known)} composites made, {len(known)} were there" in done.stderr


# --- a test set of one's own --------------------------------------------------------------------


def cutout(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """A soft disc of noise, RGBA."""
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - height / 2, columns - width / 2)
    alpha = np.clip((min(height, width) / 2 - 2 - distance) / 5, 0, 1)
    return np.dstack([noise(height, width, 3, seed=seed), np.rint(255 * alpha).astype(np.uint8)])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "cutouts/wild").mkdir(parents=True)
    (folder / "photos").mkdir()
    for index, name in enumerate(("cat.png", "dog.webp", "wild/fox.png")):
        path = folder / "cutouts" / name
        Image.fromarray(cutout(40 + 10 * index, 60, index)).save(path, lossless=True)
    for index, name in enumerate(("beach.jpg", "wood.png", "sky.webp", "town.png")):
        Image.fromarray(noise(30 + 20 * index, 50, 3, seed=index)).save(folder / "photos" / name)
    return folder


SET = ("set", "--foregrounds", "cutouts", "--backgrounds", "photos")


@pytest.fixture(scope="module")
def frozen(pictures: Path) -> Path:
    done = compose(*SET, "--out", "set", "--per-foreground", "3", folder=pictures)

    assert done.returncode == 0, done.stderr
    assert "9 composites made" in done.stderr
    return pictures / "set"


def names_in(folder: Path) -> Iterator[str]:
    yield from sorted(path.name for path in (folder / "images").iterdir())


def test_equation_one_holds_between_the_files(frozen: Path, pictures: Path) -> None:
    manifest = json.loads((frozen / "manifest.json").read_text())
    assert len(manifest["samples"]) == 9
    for name, record in manifest["samples"].items():
        image, alpha, foreground = (
            pixels(frozen / folder / f"{name}.png").astype(int)
            for folder in ("images", "alphas", "foregrounds")
        )
        background = next(pictures.rglob(record["sources"]["background"]["file"]))
        placed = over(
            np.zeros(image.shape, np.float32), np.zeros(alpha.shape, np.float32), background
        )
        behind = np.rint(placed * 255)
        share = alpha[..., None] / 255
        np.testing.assert_array_equal(image, np.rint(share * foreground + (1 - share) * behind))
        stored = pixels(next(pictures.rglob(record["sources"]["foreground"]["file"])))
        np.testing.assert_array_equal(np.dstack([foreground, alpha]), stored)


@given(alpha=BYTE, foreground=BYTE, background=BYTE)
def test_the_test_sets_blend_is_rounded_exactly(
    alpha: int, foreground: int, background: int
) -> None:
    grey = [np.full((1, 1, 3), level, np.uint8) for level in (foreground, background)]
    twice = 2 * (alpha * foreground + (255 - alpha) * background)

    blended = testset.blend_rounded(grey[0], np.full((1, 1), alpha, np.uint8), grey[1])

    assert abs(510 * int(blended[0, 0, 0]) - twice) < 255  # less than half a level away


def test_trimaps_agree_with_the_alphas_and_have_a_band(frozen: Path) -> None:
    for name in names_in(frozen):
        trimap, alpha = (pixels(frozen / folder / name) for folder in ("trimaps", "alphas"))
        assert set(np.unique(trimap)) == {0, 128, 255}
        assert (alpha[trimap == 255] == 255).all()
        assert (alpha[trimap == 0] == 0).all()
        assert (trimap[(alpha == 255) | (alpha == 0)] == 128).any()


def test_the_manifest_has_seeds_and_the_digest_of_every_file(frozen: Path, pictures: Path) -> None:
    manifest = json.loads((frozen / "manifest.json").read_text())

    assert manifest["settings"] == {"per_foreground": 3, "seed": 0, "size": None}
    assert manifest["rule"] == testset.RULE
    files = set()
    for name, record in manifest["samples"].items():
        assert len(record["settings"]["draw"]) == 64
        for source in record["sources"].values():
            data = next(pictures.rglob(source["file"])).read_bytes()
            assert hashlib.sha256(data).hexdigest() == source["sha256"]
        for folder, digest in record["outputs"].items():
            data = (frozen / folder / f"{name}.png").read_bytes()
            assert hashlib.sha256(data).hexdigest() == digest
            files.add(f"{folder}/{name}.png")
    assert files == contents(frozen).keys() - {"manifest.json"}


def test_evaluation_reads_the_set(frozen: Path) -> None:
    dataset = open_dataset(frozen)

    assert len(dataset.samples) == 9
    assert len(dataset.kinds) == 1


def test_a_picture_more_leaves_the_other_samples_as_they_are(frozen: Path, pictures: Path) -> None:
    """Whatever else lies in the folders, a pair of pictures gives the same files."""
    plan = testset.plan(pictures / "cutouts", pictures / "photos", per_foreground=4)

    by_name = {sample.name: sample for sample in plan.samples}
    for name in names_in(frozen):
        for folder, picture in testset.render(by_name[Path(name).stem]).items():
            np.testing.assert_array_equal(picture, pixels(frozen / folder / name))


def test_a_photo_more_takes_at_most_one_place_a_foreground(tmp_path: Path) -> None:
    for name in [f"cutouts/{i}.png" for i in range(9)] + [f"photos/{i}.png" for i in range(40)]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()  # names are all that a plan depends on
    few = testset.plan(tmp_path / "cutouts", tmp_path / "photos", per_foreground=15)
    (tmp_path / "photos/another.png").touch()
    (tmp_path / "cutouts/another.png").touch()
    more = testset.plan(tmp_path / "cutouts", tmp_path / "photos", per_foreground=15)

    new = {sample.name for sample in more.samples} - {sample.name for sample in few.samples}

    assert all("another" in name for name in new)
    assert {f"{i}_another" for i in range(9)} & new  # the new photo has its chance


def test_the_seed_draws_other_backgrounds_and_trimaps(pictures: Path) -> None:
    plans = [testset.plan(pictures / "cutouts", pictures / "photos", seed=s) for s in range(8)]

    assert len({tuple(sample.name for sample in plan.samples) for plan in plans}) > 1
    everything = [
        testset.plan(pictures / "cutouts", pictures / "photos", per_foreground=4, seed=s)
        for s in range(2)
    ]
    samples = [min(plan.samples, key=lambda sample: sample.name) for plan in everything]
    assert samples[0].name == samples[1].name
    trimaps = [testset.render(sample)["trimaps"] for sample in samples]
    assert (trimaps[0] != trimaps[1]).any()


def test_backgrounds_of_a_foreground_are_different(frozen: Path) -> None:
    assert len(set(names_in(frozen))) == 9
    assert sum(name.startswith("wild-fox_") for name in names_in(frozen)) == 3


def test_size_shrinks_without_mixing_in_hidden_colours(tmp_path: Path) -> None:
    """Red where it is visible, green where it is not: no green may reach the edge."""
    levels = np.zeros((40, 80, 4), np.uint8)
    levels[..., 1] = 255
    levels[5:31, 11:62] = (255, 0, 0, 255)
    for name in ("cutouts", "photos"):
        (tmp_path / name).mkdir()
    Image.fromarray(levels).save(tmp_path / "cutouts/red.png")
    Image.fromarray(noise(20, 20, 3)).save(tmp_path / "photos/photo.png")
    plan = testset.plan(tmp_path / "cutouts", tmp_path / "photos", size=30)

    rendered = testset.render(plan.samples[0])

    assert rendered["images"].shape == (15, 30, 3)
    alpha = rendered["alphas"]
    assert ((alpha > 0) & (alpha < 255)).any()
    assert (rendered["foregrounds"][alpha > 0] == (255, 0, 0)).all()


def test_an_opaque_cutout_is_refused(pictures: Path) -> None:
    plan = testset.plan(pictures / "photos", pictures / "photos")

    with pytest.raises(ImageError, match=r"has no transparency; expected a cut-out"):
        testset.render(plan.samples[0])


def test_impossible_sets_are_refused(pictures: Path) -> None:
    before = contents(pictures)
    with pytest.raises(DataError, match="photos has 4 pictures; expected at least the 5"):
        testset.plan(pictures / "cutouts", pictures / "photos", per_foreground=5)
    with pytest.raises(DataError, match="nowhere does not exist"):
        testset.plan(pictures / "cutouts", pictures / "nowhere")

    message = assert_one_sentence(compose(*SET, "--out", "photos/set", folder=pictures))

    assert "not apart from the input photos" in message
    assert contents(pictures) == before


def test_folders_without_pictures_and_equal_names_are_refused(tmp_path: Path) -> None:
    for name in ("cutouts", "photos"):
        (tmp_path / name).mkdir()
    Image.fromarray(noise(4, 4, 3)).save(tmp_path / "cutouts/.hidden.png")
    with pytest.raises(DataError, match="cutouts holds no pictures"):
        testset.plan(tmp_path / "cutouts", tmp_path / "photos")
    for name in ("cutouts/a.png", "cutouts/a.webp", "photos/b.png"):
        Image.fromarray(noise(4, 4, 3)).save(tmp_path / name)
    with pytest.raises(DataError, match="same names: a_b"):
        testset.plan(tmp_path / "cutouts", tmp_path / "photos")


# --- help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["", "composition-1k", "set"])
def test_help_has_an_example(verb: str, tmp_path: Path) -> None:
    done = compose(*verb.split(), "--help", folder=tmp_path)

    assert done.returncode == 0
    assert f"deepmatte compose {verb}" in done.stdout.split("Example:")[1]
