"""Checks that this installation's metrics equal those of the official MATLAB code.

Uses triples of prediction, alpha and trimap in a folder, or eight small built-in ones. Their
expected values come from the official code (Xu et al. 2017), run under GNU Octave 7.3 with its
image package 2.14. Each triple covers a case in which other implementations are wrong.

Example:
    all(check.holds for check in selftest(None))
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import DataError, MattingError
from deepmatte.evaluation.metrics import measure
from deepmatte.evaluation.results import METRICS
from deepmatte.images import open_levels

Triple: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Prediction, alpha, trimap: (H, W), uint8."""

TABLE = "expected.tsv"
COLUMNS = ("sad", "mse", "grad", "conn")
"""What the table in a folder calls `METRICS`."""

TOLERANCE = 1e-5  # relative

# In the order of `METRICS`. A mean over no pixel is NaN in MATLAB, too.
BUILT_IN = {
    "constant": (0.575999975, 1.0, 0.0, 0.575999975),
    "ramp": (0.0677647442, 0.013840829, 0.000751188607, 0.0561411753),
    "strands": (0.0189176444, 0.00261160266, 0.0085783815, 0.00696470588),
    "byte 153": (0.259200037, 0.0955658406, 0.639943242, 0.335999995),
    "tie": (0.00627450971, 0.00193657726, 0.0156092811, 0.00762352953),
    "disjoint": (0.648000002, 0.75, 0.940354407, 0.648000002),
    "faint": (0.19576472, 0.170226827, 0.0, 0.206754848),
    "all known": (0.0, math.nan, 0.0, 0.0),
}


@dataclass(frozen=True)
class Check:
    """One metric on one triple.

    Attributes:
        name: the triple's name.
        metric: one of `METRICS`.
        expected: what the official code printed.
        measured: what `deepmatte.evaluation.metrics` says.
    """

    name: str
    metric: str
    expected: float
    measured: float

    @property
    def holds(self) -> bool:
        """Whether both agree to a relative 1e-5 (0 to 1e-12), or both are NaN."""
        if math.isnan(self.expected):
            return math.isnan(self.measured)
        return math.isclose(self.measured, self.expected, rel_tol=TOLERANCE, abs_tol=1e-12)


def selftest(folder: Path | None) -> tuple[Check, ...]:
    """Measure triples whose errors are known.

    Args:
        folder: holds NAME_pred.png, NAME_alpha.png and NAME_trimap.png of 8 bit grey for every
            NAME in its table expected.tsv, whose columns are name, sad, mse, grad and conn. None:
            measure the triples that are built in.

    Returns:
        One check per triple and metric, in the order of the table and of `METRICS`.

    Raises:
        ImageError: a picture in the folder is missing or damaged.
        DataError: the table is missing or damaged, or a triple cannot be measured (sizes, levels).
    """
    if folder is None:
        triples = drawn_triples()
        return tuple(
            check
            for name, expected in BUILT_IN.items()
            for check in _checks(name, triples[name], expected)
        )
    checks: list[Check] = []
    for name, expected in _read_table(folder / TABLE).items():
        prediction, alpha, trimap = (
            open_levels(folder / f"{name}_{kind}.png") for kind in ("pred", "alpha", "trimap")
        )
        try:
            checks += _checks(name, (prediction, alpha, trimap), expected)
        except MattingError as error:
            raise DataError(f"The triple {name} in {folder} cannot be measured: {error}") from error
    return tuple(checks)


def _checks(name: str, triple: Triple, expected: tuple[float, ...]) -> list[Check]:
    measured = measure(*triple)
    return [
        Check(name, metric, value, measured[metric])
        for metric, value in zip(METRICS, expected, strict=True)
    ]


def _read_table(path: Path) -> dict[str, tuple[float, ...]]:
    """The expected values by name, in the order of `METRICS`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        table = {row["name"]: tuple(float(row[column]) for column in COLUMNS) for row in rows}
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; it should hold the expected values.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is no such table; expected numbers in the columns name, {', '.join(COLUMNS)}."
        ) from error
    if not table:
        raise DataError(f"{path} names no triple; expected a row for each.")
    return table


def drawn_triples() -> dict[str, Triple]:
    """The built-in triples; integers only, so that they are the same on every machine."""
    rows, columns = np.mgrid[:24, :36]
    opaque, empty = np.full_like(rows, 255), np.zeros_like(rows)
    unknown = np.full_like(rows, 128)
    band = np.where(columns < 6, 0, np.where(columns < 30, 128, 255))
    ramp = columns * 255 // 35
    strands = np.maximum(0, 255 - 90 * abs((5 * columns + rows * rows // 4) % 23 - 6))
    body = np.where(rows > 15, 255, strands)
    left_low = (columns // 4 == 1) & (rows // 4 == 4)
    right_high = (columns // 4 == 5) & (rows // 4 == 1)
    levels = 152 + (columns + rows) // 2 % 3  # 153 is 0.6
    triples = {
        "constant": (empty, opaque, band),
        "ramp": (np.minimum(ramp + 30, 255), ramp, band),
        "strands": (np.clip(body + (7 * rows + 3 * columns) % 61 - 30, 0, 255), body, band),
        "byte 153": (levels, 204 + 17 * (columns // 3 % 4), unknown),
        # Column by column the lower left square comes first, row by row the other.
        "tie": (200 * left_low + 140 * right_high, 220 * (left_low | right_high), unknown),
        "disjoint": (255 * (columns < 12), 255 * (columns > 20), unknown),
        "faint": (body // 5 + 40, body, band),
        "all known": (ramp, body, np.where(columns < 18, 0, 255)),
    }
    return {
        name: tuple(pixels.astype(np.uint8) for pixels in triple)
        for name, triple in triples.items()
    }
