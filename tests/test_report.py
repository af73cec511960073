"""The report of an evaluation: its numbers, its marks, and its page in a real browser."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from deepmatte.errors import ImageError
from deepmatte.evaluation import plot
from deepmatte.evaluation.plot import dilation_plot
from deepmatte.evaluation.report import print_tables, write_report
from deepmatte.evaluation.results import METRICS, Evaluation, Row
from deepmatte.evaluation.sets import write_ranks
from deepmatte.evaluation.summary import groups, rank
from deepmatte.evaluation.tables import format_error
from deepmatte.evaluation.worst_crops import error_map, worst_crops
from deepmatte.evaluation.worst_sheet import worst_rows, worst_sheets
from deepmatte.images import open_alpha, open_image, save_image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(2)</script><!--"
METHODS = ("network", "classical", SCRIPT)
TRIMAPS = ("Trimap1", "Trimap2")
PICTURES = ("cat", "dog", HOSTILE, "fern")
# SAD by trimap, picture and method; None: failed. The other metrics are made of it below.
SAD: dict[str, dict[str, tuple[float | None, ...]]] = {
    "Trimap1": {
        "cat": (1.0, 2.0, 3.0),
        "dog": (9.0, 4.0, 4.0),
        HOSTILE: (5.0, 6.0, None),
        "fern": (2.0, 3.0, None),
    },
    "Trimap2": {
        "cat": (2.0, 2.0, None),
        "dog": (10.0, 3.0, None),
        HOSTILE: (None, 8.0, None),
        "fern": (3.0, 7.0, None),
    },
}
FAILURE = "The solver did not converge & <b>gave up</b>."


def errors_of(sad: float) -> dict[str, float]:
    return {"sad": sad, "mse": sad / 1000, "gradient": 20 - sad, "connectivity": sad * 2}


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    """Files of 300 x 260 pixels whose mattes are wrong at a known place, and made-up errors."""
    data = tmp_path / "data"
    data.mkdir()
    generator = np.random.default_rng(0)
    rows = []
    alpha = np.zeros((260, 300), np.float32)
    alpha[:, 150:] = 1
    trimap = np.where(alpha > 0, 255, 0).astype(np.uint8)
    trimap[:, 100:200] = 128
    for picture in PICTURES:
        save_image(data / f"{picture}.image.png", generator.random((260, 300, 3), np.float32))
        save_image(data / f"{picture}.alpha.png", alpha)
        save_image(data / f"{picture}.trimap.png", trimap)
        for index, method in enumerate(METHODS):
            matte = alpha.copy()
            matte[-20:, 110:130] = 0.25 * (index + 1)  # too opaque at the foot
            name = f"{picture}.{index}.png"
            save_image(data / name, matte)
            for kind in TRIMAPS:
                sad = SAD[kind][picture][index]
                failed = sad is None
                rows.append(
                    Row(
                        method=method,
                        trimap=kind,
                        picture=picture,
                        unknown=26000,
                        foreground=0 if kind == "Trimap1" and picture == "dog" else 26000,
                        background=26000,
                        errors=None if sad is None else errors_of(sad),
                        seconds=None if failed or method == "classical" else sad,
                        failure=FAILURE if failed else None,
                        image=data / f"{picture}.image.png",
                        alpha=data / f"{picture}.alpha.png",
                        shown_trimap=data / f"{picture}.trimap.png",
                        prediction=None if failed else data / name,
                    )
                )
    return Evaluation(
        dataset="small | <i>set</i>",
        methods=METHODS,
        trimaps=TRIMAPS,
        pictures=PICTURES,
        rows=tuple(rows),
        command="deepmatte evaluate set --method 'a b'",
        machine="one core",
        date="2026-11-23",
        version="0.1.0",
        groupings={"kind of thing": {"cat": "pet", "dog": "pet", HOSTILE: HOSTILE, "fern": "2"}},
    )


@pytest.fixture
def report(evaluation: Evaluation, tmp_path: Path) -> Path:
    folder = tmp_path / "report"
    folder.mkdir()
    write_report(evaluation, folder)
    return folder


def printed(evaluation: Evaluation, *, colours: bool) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=80,
        force_terminal=colours,
        color_system="standard" if colours else None,
        no_color=False,
        _environ={},
    )
    print_tables(evaluation, console)
    return stream.getvalue()


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "ranks"),
    [
        ([3.0], [1]),
        ([3.0, 1.0, 2.0], [3, 1, 2]),
        ([2.0, 3.0, 3.0, None, None], [1, 2.5, 2.5, 4.5, 4.5]),
        ([None, 0.0, 0.0], [3, 1.5, 1.5]),
        ([None, None], [1.5, 1.5]),
    ],
)
def test_equals_share_a_rank_and_failures_come_last(
    errors: list[float | None], ranks: list[float]
) -> None:
    assert rank(errors) == ranks


@given(st.lists(st.none() | st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e9]), min_size=1, max_size=9))
def test_a_rank_is_the_mean_place_in_the_sorted_list(errors: list[float | None]) -> None:
    places = sorted(np.inf if error is None else error for error in errors)

    for error, place in zip(errors, rank(errors), strict=True):
        own = np.inf if error is None else error
        assert place == np.mean([i + 1 for i, other in enumerate(places) if other == own])


def test_the_json_holds_every_row_and_their_means(evaluation: Evaluation, report: Path) -> None:
    document = json.loads((report / "report.json").read_text())

    assert len(document["rows"]) == len(evaluation.rows) == 24
    for stored, row in zip(document["rows"], evaluation.rows, strict=True):
        for name in ("method", "trimap", "picture", "unknown", "errors", "seconds", "failure"):
            assert stored[name] == getattr(row, name)
    for mean in document["means"]:
        index = METHODS.index(mean["method"])
        values = [SAD[mean["trimap"]][picture][index] for picture in PICTURES]
        kept = [value for value in values if value is not None]
        assert (mean["pictures"], mean["failed"]) == (4, 4 - len(kept))
        if not kept:
            assert mean["errors"] is None
            continue
        for metric in METRICS:
            errors = [errors_of(value)[metric] for value in kept]
            assert mean["errors"][metric] == pytest.approx(np.mean(errors))
            assert mean["medians"][metric] == pytest.approx(np.median(errors))
        timed = mean["method"] != "classical"
        assert mean["seconds"] == (pytest.approx(np.mean(kept)) if timed else None)
    assert [document[name] for name in ("command", "machine", "date", "version", "dataset")] == [
        getattr(evaluation, name) for name in ("command", "machine", "date", "version", "dataset")
    ]


def test_the_average_ranks(report: Path) -> None:
    ranks = json.loads((report / "report.json").read_text())["average_ranks"]

    # By hand from SAD above: the places on cat, dog, hostile, fern of Trimap1, then of Trimap2.
    expected = {
        "network": np.mean([np.mean([1, 3, 1, 1]), np.mean([1.5, 2, 2.5, 1])]),
        "classical": np.mean([np.mean([2, 1.5, 2, 2]), np.mean([1.5, 1, 1, 2])]),
        SCRIPT: np.mean([np.mean([3, 1.5, 3, 3]), np.mean([3, 3, 2.5, 3])]),
    }
    assert {method: places["sad"] for method, places in ranks.items()} == expected
    # The gradient error was made the other way round.
    assert ranks["network"]["gradient"] == np.mean(
        [np.mean([3, 1, 2, 2]), np.mean([1.5, 1, 2.5, 2])]
    )


def test_the_paths_lead_from_the_report_to_the_files(
    evaluation: Evaluation, report: Path, tmp_path: Path
) -> None:
    text = (report / "report.json").read_text()

    assert str(tmp_path) not in text
    for stored, row in zip(json.loads(text)["rows"], evaluation.rows, strict=True):
        for name in ("image", "alpha", "shown_trimap", "prediction"):
            path = getattr(row, name)
            assert (stored[name] is None) == (path is None)
            assert path is None or (report / stored[name]).samefile(path)


@pytest.mark.parametrize(
    ("metric", "error", "text"),
    [
        ("sad", 3.306, "3.31"),
        ("sad", 168.12, "168.12"),
        ("sad", 0.0, "0.00"),
        ("sad", 0.0123, "0.012"),
        ("mse", 0.01177, "0.0118"),
        ("mse", 0.0000123, "1.2e-05"),
    ],
)
def test_errors_keep_at_least_two_digits(metric: str, error: float, text: str) -> None:
    assert format_error(metric, error) == text


# --- tables -------------------------------------------------------------------------------------


def _markdown_rows(text: str, title: str) -> dict[str, list[str]]:
    """The cells of the table below a title, by the method's name."""
    lines = text.split(f"## {title}", 1)[1].split("\n\n")[1].splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {row[0]: row[1:] for row in [cells[0], *cells[2:]]}


def test_the_markdown_marks_the_best_and_never_a_partial_mean(report: Path) -> None:
    text = (report / "report.md").read_text()
    narrow, wide = (_markdown_rows(text, kind) for kind in TRIMAPS)
    script = next(name for name in narrow if "script" in name)

    assert narrow["Method"] == ["SAD", "median", "MSE", "Grad", "Conn", "Seconds", "Failed"]
    assert narrow["network"] == ["4.25", "**3.50**", "0.0043", "**15.75**", "8.50", "4.25", "-"]
    assert narrow["classical"][:3] == ["**3.75**", "**3.50**", "**0.0037**"]
    assert narrow["classical"][3:] == ["16.25", "**7.50**", "-", "-"]
    assert narrow[script][:3] == ["(3.50)", "(3.50)", "(0.0035)"]
    assert narrow[script][3:] == ["(16.50)", "(7.00)", "3.50", "2 of 4"]
    assert wide["network"][:3] == ["(5.00)", "(3.00)", "(0.0050)"]
    assert wide["network"][3:] == ["(15.00)", "(10.00)", "5.00", "1 of 4"]
    assert wide["classical"][:3] == ["**5.00**", "**5.00**", "**0.0050**"]
    assert wide["classical"][3:] == ["**15.00**", "**10.00**", "-", "-"]
    assert wide[script] == ["-", "-", "-", "-", "-", "-", "4 of 4"]
    ranks = _markdown_rows(text, "Average ranks")
    assert ranks["Method"] == ["SAD", "MSE", "Grad", "Conn", "mean"]
    assert ranks["network"][0] == "1.62"
    assert ranks["classical"][0] == "**1.62**"  # the network failed once: never the best
    places = [float(place.strip("*")) for place in ranks["network"]]
    assert places[-1] == pytest.approx(np.mean(places[:-1]), abs=0.01)


def test_the_markdown_shows_names_and_failures_as_they_are(report: Path) -> None:
    text = (report / "report.md").read_text()

    assert "deepmatte evaluate set --method 'a b'" in text
    assert not re.search(r"(?<!\\)<", text)
    assert r"small \| \<i\>set\</i\>" in text
    assert text.count("gave up") == 7
    for fact in ("machine: one core", "date: 2026-11-23", "deepmatte: 0.1.0"):
        assert fact in text


def test_a_pipe_gets_plain_text_with_stars(evaluation: Evaluation) -> None:
    text = printed(evaluation, colours=False)

    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"classical +\*3.75 +\*3.50 +\*0.0037 +16.25 +\*7.50 +- +- *\n", text)
    assert re.search(r"network +\(5.00\) .* 1 of 4", text)
    assert "4 of 4" in text


def test_a_terminal_gets_the_best_in_bold(evaluation: Evaluation) -> None:
    text = printed(evaluation, colours=True)

    assert "\x1b[1m" in text
    bold = [cell.strip() for cell in re.findall(r"\x1b\[1m([^\x1b]*)\x1b\[0m", text)]
    assert "3.75" in bold
    assert "*3.75" not in text
    assert not {"4.25", "(3.50)", "16.25"} & set(bold)


def test_a_long_name_does_not_push_the_numbers_out(evaluation: Evaluation) -> None:
    name = "networks/of/mine/" + "x" * 60 + ".onnx"
    rows = tuple(dataclasses.replace(row, method=name) for row in evaluation.rows[:2])
    rows = tuple(dataclasses.replace(row, picture="cat") for row in rows)
    long = dataclasses.replace(evaluation, methods=(name,), pictures=("cat",), rows=rows)

    text = printed(long, colours=False)

    assert max(map(len, text.splitlines())) <= 80
    assert "*1.00" in text
    assert "*0.0010" in text
    assert "Average ranks" not in text  # of one method they say nothing


# --- groups -------------------------------------------------------------------------------------


def _group(document: Any, grouping: str, name: str, trimap: str = "Trimap1") -> Any:
    wanted = (grouping, name, trimap)
    (group,) = (g for g in document["groups"] if (g["grouping"], g["name"], g["trimap"]) == wanted)
    return group


def test_the_json_sums_up_each_group(report: Path) -> None:
    document = json.loads((report / "report.json").read_text())

    pets = _group(document, "kind of thing", "pet")
    assert pets["pictures"] == ["cat", "dog"]
    network, classical, script = pets["means"]
    assert network["errors"] == network["medians"]
    assert network["errors"]["sad"] == 5.0
    assert network["errors"]["gradient"] == 15.0
    assert (script["pictures"], script["failed"], script["errors"]["sad"]) == (2, 0, 3.5)
    assert classical["ranks"]["sad"] == np.mean([2, 1.5])
    assert _group(document, "kind of thing", "pet", "Trimap2")["means"][2]["errors"] is None
    assert _group(document, "known foreground", "no")["pictures"] == ["dog"]
    assert _group(document, "known foreground", "yes")["pictures"] == ["cat", HOSTILE, "fern"]
    assert _group(document, "known foreground", "yes", "Trimap2")["pictures"] == list(PICTURES)
    assert _group(document, "known background", "yes")["pictures"] == list(PICTURES)
    medians = [mean["medians"] for mean in _group(document, "known foreground", "yes")["means"]]
    assert [median["sad"] for median in medians] == [2.0, 3.0, 3.0]


def test_unreadable_trimaps_are_in_no_group_of_what_is_known(evaluation: Evaluation) -> None:
    rows = [
        dataclasses.replace(row, unknown=0, foreground=0, background=0)
        if row.picture == "cat"
        else row
        for row in evaluation.rows
    ]

    found = groups(dataclasses.replace(evaluation, rows=tuple(rows)))

    known = [group for group in found if group.grouping == "known foreground"]
    assert [(group.name, group.pictures) for group in known if group.trimap == "Trimap1"] == [
        ("-", ("cat",)),
        ("no", ("dog",)),
        ("yes", (HOSTILE, "fern")),
    ]


def test_people_see_the_groups_that_divide_the_pictures(
    evaluation: Evaluation, report: Path
) -> None:
    pipe, text = printed(evaluation, colours=False), (report / "report.md").read_text()

    lines = text.split("## Trimap1: by group", 1)[1].split("\n\n")[1].splitlines()
    assert lines[0] == "| Group (pictures) | Method | SAD | median | MSE | median |"
    rows = [[cell.strip() for cell in line.split(" | ")] for line in lines[2:]]
    assert [row[0].strip("| ") for row in rows[::3]] == [
        "kind of thing: 2 (1)",
        r"kind of thing: \<img src=x onerror=alert(1)\> (1)",
        "kind of thing: pet (2)",
        "known foreground: no (1)",
        "known foreground: yes (3)",
    ]
    assert rows[6][2:] == ["5.00", "5.00", "0.0050", "0.0050 |"]
    assert rows[7][2:] == ["**3.00**", "**3.00**", "**0.0030**", "**0.0030** |"]
    assert rows[14][2:] == ["(3.00)", "(3.00)", "(0.0030)", "(0.0030) |"]
    assert "known background" not in text  # all of them know some: a group of all says nothing
    assert "known foreground" not in text.split("## Trimap2: by group")[1]
    assert re.search(r"classical +\*3.00 +\*3.00 +\*0.0030 +\*0.0030", pipe)


# --- several sets -------------------------------------------------------------------------------


def test_mean_ranks_count_each_set_once(evaluation: Evaluation, tmp_path: Path) -> None:
    small = dataclasses.replace(
        evaluation,
        dataset="other/set",
        trimaps=("Trimap1",),
        pictures=("cat",),
        rows=tuple(r for r in evaluation.rows if (r.picture, r.trimap) == ("cat", "Trimap1")),
    )

    write_ranks([evaluation, small], tmp_path)

    document = json.loads((tmp_path / "ranks.json").read_text())
    # By the means: Trimap1 4.25, 3.75, failed; Trimap2 failed, 5, failed; the other set 1, 2, 3.
    ranks = document["mean_ranks"]
    assert {method: ranks[method]["sad"] for method in METHODS} == {
        "network": np.mean([2, 2.5, 1]),
        "classical": np.mean([1, 1, 2]),
        SCRIPT: np.mean([3, 2.5, 3]),
    }
    assert ranks["network"]["gradient"] == np.mean([1, 2.5, 3])
    four = [ranks["network"][metric] for metric in METRICS]
    assert ranks["network"]["mean"] == pytest.approx(np.mean(four))
    assert [each["dataset"] for each in document["sets"]] == ["small | <i>set</i>", "other/set"]
    assert document["sets"][1]["means"][1]["errors"]["sad"] == 2.0
    text = (tmp_path / "ranks.md").read_text()
    assert "## Mean rank over 3 sets" in text
    assert "| set, Trimap1 | classical | 2.00 | 2.00 | 0.0020 | 18.00 | 4.00 |" in text
    assert _markdown_rows(text, "Mean rank")["classical"][0] == "**1.33**"


# --- the worst ----------------------------------------------------------------------------------


def test_the_sheet_shows_the_worst_of_each_method(evaluation: Evaluation, report: Path) -> None:
    network = worst_rows(evaluation, "network")
    script = worst_rows(evaluation, SCRIPT)

    # One row a picture, with its worst trimap, and no failure among them.
    assert [(row.picture, row.trimap) for row in network] == [
        ("dog", "Trimap2"),
        (HOSTILE, "Trimap1"),
        ("fern", "Trimap2"),
        ("cat", "Trimap2"),
    ]
    assert [(row.picture, row.trimap) for row in script] == [("dog", "Trimap1"), ("cat", "Trimap1")]
    sheets = worst_sheets(evaluation)
    assert list(sheets) == list(METHODS)
    assert len(sheets[SCRIPT]) < len(sheets["network"])
    height, width, _ = open_image(report / "worst.jpg").rgb.shape
    assert (height, width) == (len(sheets["network"]), sum(s.shape[1] for s in sheets.values()))


def test_a_panel_is_the_whole_picture(evaluation: Evaluation) -> None:
    sheet = worst_sheets(evaluation)["classical"]

    # The fourth panel of the first row: alpha is 0 on the left, 1 on the right, and half a grey
    # where the matte is too opaque; above and below it is paper.
    panel = sheet[42:242, -212:-12]
    assert (panel[5] == 245).all()
    assert (panel[100, 10] == 0).all()
    assert (panel[100, 190] == 255).all()
    assert (abs(panel[182, 80].astype(int) - 128) < 8).all()


def test_only_ten_are_shown(evaluation: Evaluation) -> None:
    (row,) = (r for r in evaluation.rows if (r.method, r.picture) == ("network", "fern")
              and r.trimap == "Trimap1")  # fmt: skip
    rows = [
        dataclasses.replace(row, picture=f"{index}", errors=errors_of(float(index)))
        for index in range(12)
    ]
    many = dataclasses.replace(evaluation, methods=("network",), rows=tuple(rows))

    assert [row.picture for row in worst_rows(many, "network")] == [
        f"{n}" for n in range(11, 1, -1)
    ]


def test_pictures_that_cannot_be_read_are_not_on_the_sheet(evaluation: Evaluation) -> None:
    for row in evaluation.rows:
        row.image.write_bytes(b"no picture")

    assert worst_sheets(evaluation) == {}


# --- files --------------------------------------------------------------------------------------


def test_nothing_is_written_where_something_cannot_be(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    folder = tmp_path / "taken"
    (folder / "report.html").mkdir(parents=True)

    with pytest.raises(ImageError, match=r"report\.html"):
        write_report(evaluation, folder)
    assert [path.name for path in folder.iterdir()] == ["report.html"]


class _Collector(HTMLParser):
    """Everything in a page that could load something, and the tags that are open at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [f"{n}={v}" for n, v in attrs if n in ("src", "href", "action", "data")]


def payload_of(page: str) -> str:
    return page.split('id="evaluation">', 1)[1].split("</script>", 1)[0]


def test_the_page_is_one_file_and_names_are_no_markup(report: Path) -> None:
    page = (report / "report.html").read_text()
    collector = _Collector()
    collector.feed(page)

    assert collector.references == []
    assert collector.tags.count("script") == 2
    assert collector.tags.count("img") == 1  # the plot's, empty in the template
    assert not re.search(r"https?:|@import|url\(", page)
    assert "default-src 'none'" in page
    assert "<" not in payload_of(page)
    document = json.loads(payload_of(page))
    assert {row["picture"] for row in document["rows"]} == set(PICTURES)
    assert SCRIPT in document["methods"]
    assert sorted(path.name for path in report.iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
        "worst.jpg",
    ]


# --- crops --------------------------------------------------------------------------------------


def _decoded(uri: str, tmp_path: Path) -> Path:
    import base64

    header, data = uri.split(",", 1)
    path = tmp_path / f"crop.{header.split('/')[1].split(';')[0]}"
    path.write_bytes(base64.b64decode(data))
    return path


def test_crops_show_the_worst_first_and_where_it_is_wrong(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    crops = worst_crops(evaluation, 10**9)

    assert [(crop.picture, crop.trimap) for crop in crops[:4]] == [
        ("dog", "Trimap1"),
        (HOSTILE, "Trimap2"),  # failed: worse than any error
        (HOSTILE, "Trimap1"),
        ("dog", "Trimap2"),
    ]
    assert len(crops) == 8
    prediction, truth = crops[0].predictions[0], crops[0].alpha
    assert prediction is not None
    shown = open_alpha(_decoded(prediction, tmp_path)) - open_alpha(_decoded(truth, tmp_path))
    assert shown.shape == (224, 224)
    assert (shown > 0.2).sum() == 20 * 20  # the whole of what was made wrong
    assert crops[1].predictions[0] is None
    assert crops[1].errors[0] is None


def test_crops_keep_to_their_limit(evaluation: Evaluation) -> None:
    every = worst_crops(evaluation, 10**9)
    limit = every[0].size() + every[1].size() + every[2].size()

    assert worst_crops(evaluation, limit) == every[:3]
    assert worst_crops(evaluation, limit - 1) == every[:2]


def test_a_picture_that_cannot_be_read_has_no_crop(evaluation: Evaluation) -> None:
    (row,) = {row.image for row in evaluation.rows if row.picture == "dog"}
    row.write_bytes(b"no picture")

    crops = worst_crops(evaluation, 10**9)

    assert {crop.picture for crop in crops} == {"cat", HOSTILE, "fern"}


def test_small_pictures_are_shown_whole(evaluation: Evaluation, tmp_path: Path) -> None:
    for path in {path for row in evaluation.rows for path in (row.image, row.alpha)}:
        save_image(path, open_image(path).rgb[:90, :120])
    for row in evaluation.rows:
        save_image(row.shown_trimap, np.full((90, 120), 128, np.uint8))
        if row.prediction is not None:
            save_image(row.prediction, np.full((90, 120), 0.5, np.float32))

    crop = worst_crops(evaluation, 10**9)[0]

    assert open_image(_decoded(crop.image, tmp_path)).rgb.shape == (90, 120, 3)


def test_an_error_map_tells_too_opaque_from_too_transparent() -> None:
    alpha = np.full((1, 4), 0.5, np.float32)
    prediction = np.array([[1.0, 0.0, 0.5, 1.0]], np.float32)

    red, green, blue = error_map(prediction, alpha, np.array([[True, True, True, False]]))[0].T

    assert red[0] > green[0] > blue[0]
    assert red[1] < green[1] < blue[1]
    assert (red[2], green[2], blue[2]) == (0, 0, 0)
    assert red[3] == green[3] == blue[3] > 0


# --- the plot -----------------------------------------------------------------------------------

NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def dilated(evaluation: Evaluation) -> Evaluation:
    """The network's and the third method's rows of both trimaps, as four dilations."""
    kinds = {"dilated 20": "Trimap1", "dilated 3": "Trimap2", "dilated 7": "Trimap1"}
    rows = tuple(
        dataclasses.replace(row, trimap=kind)
        for kind, source in kinds.items()
        for row in evaluation.rows
        if row.trimap == source
    )
    return dataclasses.replace(evaluation, trimaps=tuple(kinds), rows=rows)


def points_of(plot: ElementTree.Element, gid: str) -> list[tuple[float, float]]:
    """The points of a line in an SVG of matplotlib."""
    (group,) = (g for g in plot.iter(f"{NAMESPACE}g") if g.get("id") == gid)
    (path,) = group.iter(f"{NAMESPACE}path")
    numbers = [float(word) for word in path.get("d", "").split() if word not in "ML"]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_the_plot_has_a_line_a_method_through_its_means(dilated: Evaluation) -> None:
    svg = dilation_plot(dilated, "sad")
    plot = ElementTree.fromstring(svg)

    lines = [points_of(plot, f"{index}") for index in range(3)]
    # Means of SAD above, at the dilations 3, 7 and 20; the third failed on all of "dilated 3".
    expected = [
        {3: 5, 7: 4.25, 20: 4.25},
        {3: 5, 7: 3.75, 20: 3.75},
        {7: 3.5, 20: 3.5},
    ]
    (left, top), (middle, lower), _ = lines[0]
    for line, means in zip(lines, expected, strict=True):
        for (x, y), (dilation, error) in zip(line, means.items(), strict=True):
            assert x == pytest.approx(left + (middle - left) * (dilation - 3) / 4, abs=0.01)
            assert y == pytest.approx(top + (lower - top) * (5 - error) / 0.75, abs=0.01)
    assert svg.count("fill: none; stroke") >= 3  # hollow: the network once, the third method twice
    names = [text.text for text in plot.iter(f"{NAMESPACE}text")]
    assert names.index("network") < names.index("classical")  # as the lines end
    assert any(name and name.startswith("</script>") for name in names)
    assert dilation_plot(dilated, "sad") == svg


def test_a_report_without_matplotlib_says_what_is_missing(
    dilated: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    write_report(dilated, tmp_path)

    assert not (tmp_path / "dilation.svg").exists()
    assert plot.MISSING in (tmp_path / "report.md").read_text()


def test_dilations_add_a_plot_to_the_report(dilated: Evaluation, tmp_path: Path) -> None:
    write_report(dilated, tmp_path)

    svg = (tmp_path / "dilation.svg").read_text()
    assert svg == dilation_plot(dilated, "sad")
    assert "](dilation.svg)" in (tmp_path / "report.md").read_text()
    document = json.loads(payload_of((tmp_path / "report.html").read_text()))
    assert set(document["plots"]) == set(METRICS)


# --- in a browser -------------------------------------------------------------------------------


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def _shown(page: Page) -> list[tuple[str, str]]:
    """Picture and trimap of each row of the table."""
    rows = page.locator(".pictures tbody tr").all()
    return [
        (row.locator("td").nth(0).inner_text(), row.locator("td").nth(1).inner_text())
        for row in rows
    ]


def test_the_page_sorts_filters_and_shows_text_as_text(page: Page, report: Path) -> None:
    requests: list[str] = []
    trouble: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text))

    def refuse(dialog: Dialog) -> None:
        trouble.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.goto((report / "report.html").as_uri())

    # The first method's SAD, the failure before any number.
    assert [kind for _, kind in _shown(page)[:2]] == ["Trimap2", "Trimap2"]
    assert [name for name, _ in _shown(page)[:4]] == [HOSTILE, "dog", "dog", HOSTILE]
    heads = page.locator(".pictures th")
    assert heads.nth(2).get_attribute("aria-sort") == "descending"
    assert page.locator(".crop h3").all_inner_texts() == [
        f"{p} \u00b7 {t}" for p, t in _shown(page)
    ]
    assert "network, Trimap2, " + HOSTILE in page.locator("#failures").inner_text()
    assert FAILURE in page.locator("#failures").inner_text()
    assert page.locator("#failures b").count() == 0

    page.get_by_role("button", name="network").click()
    assert heads.nth(2).get_attribute("aria-sort") == "ascending"
    assert _shown(page)[0] == ("cat", "Trimap1")
    assert _shown(page)[-1] == (HOSTILE, "Trimap2")

    page.get_by_role("button", name="Picture").focus()
    page.keyboard.press("Enter")
    assert heads.nth(2).get_attribute("aria-sort") is None
    assert heads.nth(0).get_attribute("aria-sort") == "ascending"
    assert [name for name, _ in _shown(page)[::2]] == [HOSTILE, "cat", "dog", "fern"]

    by_group = page.locator(".summary tr", has_text="known foreground: no (1)").first
    assert by_group.locator("td").all_inner_texts()[1:3] == ["network", "9.00"]
    aligned = by_group.locator("td").evaluate_all(
        "all => all.map(c => getComputedStyle(c).textAlign)"
    )
    assert aligned == ["left", "left", "right", "right", "right", "right"]
    worst = page.locator("#worst details")
    assert worst.locator("summary").all_inner_texts() == ["network", "classical", SCRIPT]
    worst.nth(2).locator("summary").click()
    assert worst.locator("img").evaluate_all("all => all.every(i => i.naturalWidth === 860)")

    page.locator("#trimap").select_option("Trimap1")
    page.get_by_role("button", name="classical").click()
    assert [name for name, _ in _shown(page)] == [HOSTILE, "dog", "fern", "cat"]
    page.locator("#metric").select_option("gradient")
    assert [name for name, _ in _shown(page)] == ["cat", "fern", "dog", HOSTILE]
    assert page.locator(".summary h3").all_inner_texts()[0].startswith("Trimap1")
    assert page.locator(".crop").count() == 4
    assert page.locator(".crop img").evaluate_all("all => all.every(i => i.complete)")
    assert not trouble
    assert all(url.startswith(("data:", "file:")) for url in requests)
    assert sum(url.startswith("file:") for url in requests) == 1


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_its_window(page: Page, report: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 720})
    page.goto((report / "report.html").as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= width
