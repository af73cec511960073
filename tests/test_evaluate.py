"""`deepmatte evaluate`: small real data sets, measured as a user measures them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from command import run_as_text
from numpy.typing import NDArray
from PIL import Image

import deepmatte
from deepmatte.datasets.layouts import open_dataset
from deepmatte.datasets.trimaps import GENERATED
from deepmatte.errors import DataError, ModelError
from deepmatte.evaluation import metrics
from deepmatte.evaluation.evaluate import evaluate
from deepmatte.evaluation.methods import (
    CLASSICAL,
    Classical,
    NetworkMethod,
    Predictions,
    open_methods,
    predict,
)
from deepmatte.evaluation.results import METRICS, Evaluation, Row
from deepmatte.weights import catalogue

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "deepmatte", "evaluate")
HEIGHT, WIDTH = 48, 64
KINDS = ("Trimap1", "Trimap2")
PICTURES = ("a", "b", "c")


def save(path: Path, levels: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)
    return path


def levels_in(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three soft discs of different sizes, orange on blue, with two kinds of trimaps."""
    made = tmp_path / "discs"
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2)
    for radius, name in zip((12, 14, 16), PICTURES, strict=True):
        alpha = np.clip((radius - distance) / 4, 0, 1)
        image = alpha[..., None] * (230, 130, 30) + (1 - alpha[..., None]) * (30, 60, 180)
        save(made / "images" / f"{name}.png", np.rint(image).astype(np.uint8))
        save(made / "alphas" / f"{name}.png", np.rint(255 * alpha).astype(np.uint8))
        for kind, margin in zip(KINDS, (2, 5), strict=True):
            inside, outside = distance < radius - 4 - margin, distance > radius + margin
            trimap = np.where(inside, 255, np.where(outside, 0, 128)).astype(np.uint8)
            save(made / "trimaps" / kind / f"{name}.png", trimap)
    return made


def measured(
    folder: Path, names: Sequence[str | Path], *, kinds: Sequence[str] = KINDS
) -> Evaluation:
    methods = open_methods([str(name) for name in names])
    return evaluate(open_dataset(folder), methods, kinds, folder.parent / "out", workers=1)


def only(found: Evaluation, picture: str, kind: str = "Trimap1") -> Row:
    (row,) = (r for r in found.rows if (r.picture, r.trimap) == (picture, kind))
    return row


def modified(folder: Path, out: Path | None = None) -> dict[str, int]:
    """When each kept matte was written."""
    mattes = ((out or folder.parent / "out") / "predictions").rglob("*.png")
    return {f"{path.parent.name}/{path.stem}": path.stat().st_mtime_ns for path in mattes}


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_as_text("evaluate", *arguments, folder=folder)


# --- what is measured -----------------------------------------------------------------------------


def test_every_method_on_every_picture_and_trimap(folder: Path) -> None:
    ready = folder.parent / "ready"
    for name in PICTURES:  # one kind has its own mattes, all others share these
        save(ready / f"{name}.png", np.zeros((HEIGHT, WIDTH), np.uint8))
        alpha = levels_in(folder / "alphas" / f"{name}.png")
        save(ready / "Trimap2" / f"{name}.png", alpha)

    found = measured(folder, ["lite", "prior", ready])

    assert (found.methods, found.trimaps, found.pictures) == (
        ("lite", "prior", "ready"),
        KINDS,
        PICTURES,
    )
    order = [(m, k, p) for m in found.methods for k in KINDS for p in PICTURES]
    assert [(row.method, row.trimap, row.picture) for row in found.rows] == order
    for row in found.rows:
        assert row.failure is None
        assert row.prediction is not None
        trimap = levels_in(folder / "trimaps" / row.trimap / f"{row.picture}.png")
        alpha = levels_in(folder / "alphas" / f"{row.picture}.png")
        assert row.errors == metrics.measure(levels_in(row.prediction), alpha, trimap)
        assert tuple(row.errors) == METRICS
        assert row.unknown == (trimap == 128).sum()
        assert (row.foreground, row.background) == ((trimap == 255).sum(), (trimap == 0).sum())
        assert row.shown_trimap == folder / "trimaps" / row.trimap / f"{row.picture}.png"
        assert (row.seconds is None) == (row.method == "ready")
        if row.method == "lite":
            matte = deepmatte.matte(row.image, row.shown_trimap).alpha
            np.testing.assert_allclose(levels_in(row.prediction) / 255, matte, atol=0.51 / 255)
        if row.method == "ready":
            assert (row.errors["sad"] == 0) == (row.trimap == "Trimap2")
    assert found.version == deepmatte.__version__


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_methods_matte_a_disc(name: str, folder: Path) -> None:
    pytest.importorskip("pymatting", reason="needs deepmatte[baselines]")
    (method,) = open_methods([name])
    assert isinstance(method, Classical)
    trimap = levels_in(folder / "trimaps" / "Trimap1" / "c.png")
    image = levels_in(folder / "images" / "c.png") / np.float32(255)

    matte, seconds = predict(method, image, trimap)

    assert matte.dtype == np.uint8
    truth = levels_in(folder / "alphas" / "c.png")
    half = metrics.sad(np.full_like(matte, 128), truth, trimap)
    assert metrics.sad(matte, truth, trimap) < half / 2
    assert seconds > 0


def test_made_trimaps_are_kept_as_files(folder: Path) -> None:
    kinds = ["dilated 3", "Trimap1 widened 2", "Trimap1 no foreground", GENERATED]

    found = measured(folder, ["prior"], kinds=kinds)

    for row in found.rows:
        trimap = levels_in(row.shown_trimap)
        assert row.shown_trimap.parts[-2:] == (row.trimap, f"{row.picture}.png")
        assert row.unknown == (trimap == 128).sum() > 0
        assert (255 in trimap) == (row.trimap != "Trimap1 no foreground")
        assert row.failure is None


# --- what is kept ---------------------------------------------------------------------------------


def test_a_second_run_computes_only_what_changed(folder: Path) -> None:
    first = measured(folder, ["prior"])
    before = modified(folder)
    assert before.keys() == {f"{kind}/{name}" for kind in KINDS for name in PICTURES}

    assert measured(folder, ["prior"]).rows == first.rows
    assert modified(folder) == before

    trimap = levels_in(folder / "trimaps" / "Trimap1" / "a.png").copy()
    trimap[0, 0] = 128
    save(folder / "trimaps" / "Trimap1" / "a.png", trimap)
    image = levels_in(folder / "images" / "b.png")
    save(folder / "images" / "b.png", image[:, ::-1])
    kept = folder.parent / "out" / "predictions" / "prior"
    matte = (kept / "Trimap2" / "c.png").read_bytes()
    save(kept / "Trimap2" / "c.png", np.zeros((HEIGHT, WIDTH), np.uint8))  # not what it made
    alpha = levels_in(folder / "alphas" / "c.png")
    save(folder / "alphas" / "c.png", 255 - alpha)  # asks for other errors, not for other mattes
    (kept / "Trimap2" / "a.json").write_text('{"made_of": ')
    second = measured(folder, ["prior"])

    after = modified(folder)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"Trimap1/a", "Trimap1/b", "Trimap2/b", "Trimap2/c", "Trimap2/a"}
    assert (kept / "Trimap2" / "c.png").read_bytes() == matte
    old, new = only(first, "c"), only(second, "c")
    assert new.seconds == old.seconds
    assert new.errors is not None
    assert old.errors is not None
    assert new.errors["sad"] > old.errors["sad"]


def test_a_method_that_changed_is_run_again(folder: Path, tmp_path: Path) -> None:
    network = tmp_path / "mine.onnx"
    network.write_bytes(catalogue.find("lite"))
    measured(folder, [network], kinds=["Trimap1"])
    before = modified(folder)

    onnx = pytest.importorskip("onnx", reason="needs deepmatte[train]")
    model = onnx.load(network)
    model.doc_string = "another file"
    onnx.save(model, network)
    found = measured(folder, [network], kinds=["Trimap1"])

    assert found.methods == ("mine",)
    assert all(modified(folder)[name] > before[name] for name in before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_killed_run_goes_on_where_it_was(folder: Path) -> None:
    out = folder.parent / "out"
    command = [*COMMAND, str(folder), "--method", "prior", "--out", str(out), "--workers", "1"]
    for name in map(str, range(17)):
        for kind in ("images", "alphas", "trimaps/Trimap1", "trimaps/Trimap2"):
            (folder / kind / f"{name}.png").write_bytes((folder / kind / "a.png").read_bytes())
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while len(list(out.rglob("*.png"))) < 5:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    time.sleep(0.5)  # its own process ends with it
    before = modified(folder)
    assert 5 <= len(before) < 40
    assert not (out / "report.json").exists()

    done = run(folder, "--method", "prior", "--out", out, folder=folder)

    assert done.returncode == 0, done.stderr
    after = modified(folder)
    assert len(after) == 40
    assert {name: after[name] for name in before} == before


# --- what fails -----------------------------------------------------------------------------------


def test_each_failure_is_one_sentence_in_its_own_row(folder: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    good = levels_in(folder / "alphas" / "a.png")
    for name in "adefgh":
        for kind in ("images", "alphas", *(f"trimaps/{kind}" for kind in KINDS)):
            (folder / kind / f"{name}.png").write_bytes((folder / kind / "a.png").read_bytes())
        save(ready / f"{name}.png", good)
    save(ready / "b.png", good[:-1])
    (ready / "d.png").write_bytes((ready / "d.png").read_bytes()[:-40])
    (folder / "images" / "e.png").write_bytes(b"")
    save(folder / "trimaps" / "Trimap1" / "f.png", (good > 128).astype(np.uint8))
    save(folder / "alphas" / "g.png", good[:, 1:])
    save(folder / "trimaps" / "Trimap1" / "h.png", good.T)

    found = measured(folder, [ready], kinds=["Trimap1"])

    failures = {row.picture: row.failure or "" for row in found.rows}
    assert failures["a"] == ""
    assert "b.png is 64 x 47 pixels (width x height) but the picture is 64 x 48" in failures["b"]
    assert "has no prediction called c" in failures["c"]
    assert "d.png cannot be read as a picture" in failures["d"]
    assert "e.png is empty" in failures["e"]
    assert "The trimap Trimap1 of f has no unknown pixel" in failures["f"]
    assert "g.png is 63 x 48 pixels" in failures["g"]
    assert "h.png is 48 x 64 pixels" in failures["h"]
    for row in found.rows:
        assert "\n" not in (row.failure or "")
        assert (row.errors is None) == (row.failure is not None) == (row.prediction is None)


def test_classical_methods_fail_without_foreground_and_the_network_does_not(folder: Path) -> None:
    pytest.importorskip("pymatting", reason="needs deepmatte[baselines]")
    kinds = ["Trimap1 no foreground", "Trimap1 no background", "Trimap1 nothing known", "Trimap1"]

    found = measured(folder, ["closed-form", "knn", "lite"], kinds=kinds)

    for row in found.rows:
        fails = row.method != "lite" and row.trimap != "Trimap1"
        assert (row.failure is not None) == fails
        if fails:
            assert (row.failure or "").startswith(f"{row.method} failed: Trimap did not contain")


def test_a_solver_that_divides_by_zero_is_stopped(folder: Path) -> None:
    pytest.importorskip("pymatting", reason="needs deepmatte[baselines]")
    trimap = np.zeros((HEIGHT, WIDTH), np.uint8)
    trimap[:10], trimap[30:40, 20:40] = 255, 128  # no unknown pixel touches the foreground
    save(folder / "trimaps" / "Trimap1" / "a.png", trimap)

    found = measured(folder, ["closed-form"], kinds=["Trimap1"])

    assert "divided by zero" in (only(found, "a").failure or "")
    assert only(found, "b").failure is None


def test_predictions_are_read_as_they_are_stored(folder: Path, tmp_path: Path) -> None:
    """A matte of levels 0 and 1 is nearly black, and a cut-out's matte is its transparency."""
    alpha = levels_in(folder / "alphas" / "a.png")
    save(tmp_path / "mattes" / "a.png", (alpha > 0).astype(np.uint8))
    alpha = levels_in(folder / "alphas" / "b.png")
    save(tmp_path / "mattes" / "b.png", np.dstack([levels_in(folder / "images" / "b.png"), alpha]))
    save(tmp_path / "mattes" / "c.png", np.full((HEIGHT, WIDTH), 1, np.uint8))

    found = measured(folder, [tmp_path / "mattes"], kinds=["Trimap1"])

    truth = levels_in(folder / "alphas" / "a.png")
    trimap = levels_in(folder / "trimaps" / "Trimap1" / "a.png")
    faint = metrics.measure((truth > 0).astype(np.uint8), truth, trimap)
    assert only(found, "a").errors == faint
    errors = only(found, "b").errors
    assert errors is not None
    assert errors["sad"] == 0


# --- what can be asked for ------------------------------------------------------------------------


def test_methods_by_their_names(tmp_path: Path) -> None:
    pytest.importorskip("pymatting", reason="needs deepmatte[baselines]")
    (tmp_path / "mattes").mkdir()

    names = ["lite", "classical", "knn", "lite", "lite-high", str(tmp_path / "mattes")]

    methods = open_methods(names)

    found = [method.name for method in methods]
    assert found == ["lite", *CLASSICAL, "lite-high", "mattes"]
    lite, high = (methods[found.index(name)] for name in ("lite", "lite-high"))
    assert isinstance(lite, NetworkMethod)
    assert isinstance(high, NetworkMethod)
    assert (lite.quality, high.quality) == ("normal", "high")
    assert lite.identity != high.identity
    assert isinstance(methods[-1], Predictions)


def test_methods_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = "no method 'matting'; expected lite, dim, lite-high, dim-high, prior"
    with pytest.raises(ModelError, match=expected):
        open_methods(["matting"])
    with pytest.raises(ModelError, match="cannot be read"):
        open_methods([str(tmp_path / "missing.onnx")])
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match="not a network that ONNX Runtime can load"):
        open_methods([str(tmp_path / "broken.onnx")])
    (tmp_path / "lite").mkdir()
    with pytest.raises(DataError, match="Two methods are called lite"):
        open_methods(["lite", str(tmp_path / "lite")])
    monkeypatch.setitem(sys.modules, "pymatting", None)  # as if it were not installed
    with pytest.raises(ModelError, match=r"knn needs pymatting, .*: pip install 'deepmatte\[base"):
        open_methods(["knn"])


def test_nothing_to_measure(folder: Path, tmp_path: Path) -> None:
    dataset = open_dataset(folder)
    with pytest.raises(DataError, match="no kind of trimap called 'Trimap3'"):
        evaluate(dataset, open_methods(["prior"]), ["Trimap3"], tmp_path)
    with pytest.raises(DataError, match="nothing to measure"):
        evaluate(dataset, [], KINDS, tmp_path)


# --- the command ----------------------------------------------------------------------------------


def test_the_command_prints_tables_and_writes_a_report(folder: Path) -> None:
    done = run(folder, "--method", "lite", "--method", "prior", "-o", "report", folder=folder)

    assert done.returncode == 0, done.stderr
    assert done.stdout.index("Trimap1") < done.stdout.index("Trimap2")
    assert "lite" in done.stdout
    assert "prior" in done.stdout
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    assert len(report["rows"]) == 2 * 2 * 3
    assert report["command"].endswith(
        f"deepmatte evaluate {folder} --method lite --method prior -o report"
    )
    assert {path.suffix for path in (folder / "report").glob("report.*")} >= {".md", ".html"}


def test_the_command_tells_of_failures(folder: Path) -> None:
    (folder / "images" / "b.png").write_bytes(b"no picture")

    done = run(folder, "--method", "prior", "--trimap", "Trimap1", folder=folder)

    assert done.returncode == 1
    assert "b.png is not a picture" in done.stderr
    assert done.stderr.endswith("deepmatte: 1 of 3 mattes could not be measured.\n")
    assert "Traceback" not in done.stderr
    assert (folder / "deepmatte-evaluation" / "report.html").exists()


def test_groups_in_one_command(folder: Path) -> None:
    """A table that names pictures of other sets, too, and what the trimaps know."""
    table = "name\tpart\tsize\nz\ttrain\tsmall\na\tdev\tsmall\nb\tdev\tsmall\nc\tdev\tlarge\n"
    (folder / "split.tsv").write_text(table, encoding="utf-8")
    trimap = levels_in(folder / "trimaps" / "Trimap1" / "b.png").copy()
    trimap[trimap == 255] = 128
    save(folder / "trimaps" / "Trimap1" / "b.png", trimap)

    done = run(".", "--method", "prior", "--groups", "split.tsv", "-o", "report", folder=folder)

    assert done.returncode == 0, done.stderr
    assert re.search(r"size: small \(2\) +prior +\*", done.stdout)
    assert re.search(r"known foreground: no \(1\) +prior +\*", done.stdout)
    assert "part:" not in done.stdout  # one part only
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    found = {(g["grouping"], g["name"], g["trimap"]): g["pictures"] for g in report["groups"]}
    assert found["size", "small", "Trimap1"] == ["a", "b"]
    assert found["part", "dev", "Trimap2"] == ["a", "b", "c"]
    assert found["known foreground", "no", "Trimap1"] == ["b"]
    assert ("known foreground", "no", "Trimap2") not in found
    for name in ("report.md", "report.html"):
        assert "known foreground: no" in (folder / "report" / name).read_text(encoding="utf-8")
    # Three pictures below each other; picture, trimap, truth and prediction beside each other.
    assert levels_in(folder / "report" / "worst.jpg").shape == (12 + 3 * 242, 12 + 4 * 212, 3)

    split = folder / "split.tsv"
    split.write_text("name\tsize\na\tsmall\nb\tsmall\n", encoding="utf-8")
    bad = run(".", "--method", "prior", "--groups", "split.tsv", "-o", "other", folder=folder)
    assert bad.returncode == 1
    assert bad.stderr.startswith("deepmatte: split.tsv has no group for 1 of 3 pictures of .: c;")
    assert not (folder / "other").exists()


def test_several_sets_in_one_command(folder: Path) -> None:
    other = folder.parent / "more"
    for kind in ("images", "alphas"):
        (other / kind).mkdir(parents=True)
        (other / kind / "a.png").write_bytes((folder / kind / "a.png").read_bytes())
    (other / "images" / "bad.png").write_bytes(b"no picture")
    (other / "alphas" / "bad.png").write_bytes((folder / "alphas" / "b.png").read_bytes())
    (other / "groups.tsv").write_text("name\tkind\na\tgood\nbad\tbad\n", encoding="utf-8")
    options = ("--method", "prior", "--method", "lite", "-o", "out")

    done = run(folder, other, *options, folder=folder.parent)

    assert done.returncode == 1
    assert f"{other}, prior, generated, bad: " in done.stderr
    assert done.stderr.endswith("deepmatte: 2 of 16 mattes could not be measured.\n")
    out = folder.parent / "out"
    reports = [json.loads((out / name / "report.json").read_text()) for name in ("discs", "more")]
    assert [report["trimaps"] for report in reports] == [list(KINDS), [GENERATED]]
    assert reports[1]["groupings"] == {"kind": {"a": "good", "bad": "bad"}}
    assert (out / "discs" / "predictions" / "lite" / "Trimap1" / "a.png").exists()
    ranks = json.loads((out / "ranks.json").read_text())
    assert [each["dataset"] for each in ranks["sets"]] == [str(folder), str(other)]
    means = [mean for each in ranks["sets"] for mean in each["means"] if mean["method"] == "lite"]
    rivals = [mean for each in ranks["sets"] for mean in each["means"] if mean["method"] == "prior"]
    places = [
        1.5 if mine["failed"] else 1 + (mine["errors"]["sad"] > other["errors"]["sad"])
        for mine, other in zip(means, rivals, strict=True)
    ]
    assert ranks["mean_ranks"]["lite"]["sad"] == pytest.approx(sum(places) / 3)
    assert "Mean rank over 3 sets" in done.stdout
    assert "| more, generated | lite |" in (out / "ranks.md").read_text()
    # What was measured is kept by set.
    before = modified(folder, out / "discs")
    run(folder, other, *options, folder=folder.parent)
    assert modified(folder, out / "discs") == before


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        ((".", "../discs"), "Two data sets are called discs", 1),
        ((".", "..", "--alphas", "alphas"), "go with one DATASET only", 2),
        ((".", "..", "--selftest"), "--selftest takes one folder", 2),
    ],
)
def test_sets_that_do_not_go_together(
    arguments: tuple[str, ...], sentence: str, code: int, folder: Path
) -> None:
    done = run(*arguments, "--method", "prior", folder=folder)

    assert done.returncode == code
    assert sentence in " ".join(done.stderr.replace("\u2502", "").split())


DILATIONS = [f"dilated {n}" for n in (1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 25, 31, 40)]
CHANGES = ("", " widened 3", " no foreground", " no background", " nothing known")


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ("--dilation", DILATIONS),
        (
            "--dilation --trimap Trimap1 --widen 3 --missing",
            [*DILATIONS, *(f"Trimap1{change}" for change in CHANGES)],
        ),
    ],
)
def test_the_tests_of_the_paper(options: str, kinds: list[str], folder: Path) -> None:
    for path in [*folder.rglob("b.png"), *folder.rglob("c.png")]:
        path.unlink()

    done = run(folder, *options.split(), "--method", "prior", "-o", "report", folder=folder)

    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["trimaps"] == kinds
    assert (folder / "report" / "dilation.svg").exists()


def test_folders_by_name_and_generated_trimaps(folder: Path) -> None:
    options = ("--images", "images", "--alphas", "alphas", "--method", "prior")

    done = run(*options, folder=folder)

    assert done.returncode == 0, done.stderr
    report = folder / "deepmatte-evaluation" / "report.json"
    assert json.loads(report.read_text(encoding="utf-8"))["trimaps"] == [GENERATED]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "expected DATASET, or both"),
        ((".", "--widen", "0"), "Invalid value for '--widen'"),
        ((".", "--out", "images/a.png"), "is a file; expected a folder"),
    ],
)
def test_wrong_command_lines(arguments: tuple[str, ...], sentence: str, folder: Path) -> None:
    done = run(*arguments, folder=folder)

    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())


def test_missing_files_are_named_before_anything_runs(folder: Path) -> None:
    (folder / "alphas" / "b.png").unlink()
    (folder / "trimaps" / "Trimap2" / "c.png").unlink()

    done = run(".", folder=folder)

    assert done.returncode == 1
    assert done.stderr.startswith("deepmatte: 2 files are missing")
    assert done.stderr.count("\n") == 1
    assert not (folder / "deepmatte-evaluation").exists()


def test_selftest(tmp_path: Path) -> None:
    done = run("--selftest", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "expected" in done.stdout
    assert "official code's to 1e-05" in done.stdout

    levels = np.full((8, 8), 128, np.uint8)
    for kind in ("pred", "alpha", "trimap"):
        save(tmp_path / f"flat_{kind}.png", levels)
    table = "name\tsad\tmse\tgrad\tconn\nflat\t0.25\t0\t0\t0\n"
    (tmp_path / "expected.tsv").write_text(table, encoding="utf-8")
    wrong = run("--selftest", ".", folder=tmp_path)
    assert wrong.returncode == 1
    assert "NO" in wrong.stdout
    assert wrong.stderr.startswith("deepmatte: 1 of 4 values differ")


def test_help_has_an_example(tmp_path: Path) -> None:
    done = run("--help", folder=tmp_path)

    assert done.returncode == 0
    assert "  deepmatte evaluate" in done.stdout.split("Example:")[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
def test_an_interrupted_command_says_nothing(folder: Path) -> None:
    command = [*COMMAND, str(folder), "--dilation", "--workers", "1", "-o", "out"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        while not list((folder / "out").rglob("*.json")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Traceback" not in message


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": "soon"},
        {"seconds": -1},
        {"errors": None},
        {"errors": {"sad": "small"}},
        {"errors": {"sad": 1.0}},
    ],
)
def test_a_record_that_was_edited_is_made_again(folder: Path, change: dict[str, object]) -> None:
    before = only(measured(folder, ["lite"], kinds=["Trimap1"]), "a")
    (record,) = (folder.parent / "out" / "predictions").rglob("a.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))

    after = only(measured(folder, ["lite"], kinds=["Trimap1"]), "a")

    assert after.errors == before.errors
    assert after.failure is None
    assert after.seconds is not None
    assert after.seconds >= 0
