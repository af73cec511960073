"""Run every benchmark and write docs/performance.md.

    python benchmarks/performance.py            # all of them
    python benchmarks/performance.py memory     # one of them anew; the others as they were found
    python benchmarks/performance.py --quick    # a smoke run at tiny sizes

The figures go to docs/performance/measured.json and the plots beside it. The machine should have
nothing else to do; the page says so where it had.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import classical
import convolutions
import dim
import foreground
import growth
import measuring
import memory
import stages
import startup
import training
from measuring import Results, describe_machine, describe_run

BENCHMARKS = {
    script.BENCHMARK.name: script.BENCHMARK
    for script in (
        classical,
        dim,
        foreground,
        growth,
        stages,
        memory,
        convolutions,
        startup,
        training,
    )
}
DOCS = Path(__file__).parent.parent / "docs"

HEAD = """\
# Performance

<!-- Written by benchmarks/performance.py: change that, not this. -->

Each script in `benchmarks/` answers one question. `python benchmarks/performance.py` runs all of
them and writes this page (about {minutes:.0f} minutes; it needs `pip install -e ".[dev]"`). What is
compared ran in the same run, each method in its own process, on all cores, with each library's
default settings. Times are the fastest of several runs unless stated otherwise. Memory is the peak
of the whole process, libraries included. The pictures are the shipped sample, enlarged, with camera
noise. Figures: [measured.json](performance/measured.json).
"""


def main() -> None:
    """Measure what is asked for, keep the rest, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="*", help=f"some of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="a smoke run at tiny sizes")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the page")
    arguments = parser.parse_args()
    unknown = set(arguments.only) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; expected {', '.join(BENCHMARKS)}")
    folder = arguments.docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "measured.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in arguments.only or BENCHMARKS:
        measuring.say(f"{name}: {BENCHMARKS[name].question}")
        found[name] = measuring.run(BENCHMARKS[name], arguments.quick)
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (arguments.docs / "performance.md").write_text(page(found, folder), encoding="utf-8")


def page(found: dict[str, Results], folder: Path) -> str:
    """The page; its plots are written to the folder."""
    documents = {name: found[name] for name in BENCHMARKS if name in found}
    minutes = sum(document["duration"] for document in documents.values()) / 60
    first = next(iter(documents.values()))["machine"]
    parts = [HEAD.format(minutes=minutes), describe_machine(first)]
    for name, document in documents.items():
        benchmark, results = BENCHMARKS[name], document["results"]
        where = describe_machine(document["machine"]) if document["machine"] != first else ""
        parts += [
            f"## {benchmark.question}",
            f"`python benchmarks/{name}.py`: {describe_run(document)}",
            where,
            benchmark.report(results),
        ]
        for stem, drawing in benchmark.plots(results).items():
            (folder / f"{stem}.svg").write_text(drawing, encoding="utf-8")
            parts.append(f"![{benchmark.question}](performance/{stem}.svg)")
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


if __name__ == "__main__":
    main()
