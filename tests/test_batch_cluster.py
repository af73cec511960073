"""Batches beyond one machine: the stage for Ray Data, object storage, shards, a real cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepmatte
from deepmatte.batch import Matting
from deepmatte.images import encode_image

if TYPE_CHECKING:
    from conftest import Scene

pa = pytest.importorskip("pyarrow", reason="needs deepmatte[cluster]")
fsspec = pytest.importorskip("fsspec", reason="needs deepmatte[cluster]")
pytest.importorskip("webdataset", reason="needs deepmatte[cluster]")

from deepmatte.batch import addresses  # noqa: E402
from deepmatte.batch.cluster.inventory import find  # noqa: E402
from deepmatte.batch.cluster.out_ledger import OutLedger  # noqa: E402
from deepmatte.batch.cluster.run import ClusterRun  # noqa: E402
from deepmatte.batch.cluster.shards import Shard, matte_shard  # noqa: E402
from deepmatte.batch.jobs import Sources  # noqa: E402
from deepmatte.batch.ledger import Finding, Made  # noqa: E402
from deepmatte.batch.settings import Settings  # noqa: E402
from deepmatte.batch.tally import Tally  # noqa: E402

pytestmark = pytest.mark.slow

BUCKET = "s3://photos"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a real S3 server on this machine."""
    server = pytest.importorskip("moto.server", reason="needs moto's server")
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs")
    s3fs.S3FileSystem.clear_instance_cache()  # one knows the server of another test
    thread = server.ThreadedMotoServer(port=0, verbose=False)
    thread.start()
    host, port = thread.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    if not system.exists("photos"):  # moto keeps its buckets as long as this process lives
        system.mkdir("photos")
    yield BUCKET
    thread.stop()


@pytest.fixture
def cutout(scene: Scene) -> bytes:
    matte = deepmatte.matte(scene.picture, scene.trimap)
    return encode_image(np.asarray(matte.cutout()), ".png")


def tar_of(members: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return written.getvalue()


def members_of(tar: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return {entry.name: opened.extractfile(entry).read() for entry in opened}  # type: ignore


# --- the stage ----------------------------------------------------------------------------------


def test_a_matter_can_be_pickled(scene: Scene) -> None:
    matter = deepmatte.Matter(threads=1, quality="high")

    again = pickle.loads(pickle.dumps(matter))

    expected = matter(scene.picture, scene.trimap).alpha
    assert np.array_equal(again(scene.picture, scene.trimap).alpha, expected)


def test_a_stage_mattes_files_addresses_and_arrays_and_names_what_it_cannot(
    scene: Scene, cutout: bytes
) -> None:
    trimap = scene.trimap.read_bytes()
    stage = pickle.loads(pickle.dumps(Matting(outputs=["cutout"])))

    table = stage(
        {
            "image": [scene.picture.read_bytes(), str(scene.picture), scene.image, b"none", None],
            "trimap": [trimap, str(scene.trimap), scene.labels, trimap, trimap],
            "label": np.arange(5),
        }
    )

    assert table.column_names == ["label", "cutout", "error", "unknown", "haze", "seconds"]
    assert table["label"].to_pylist() == [0, 1, 2, 3, 4]
    assert table["cutout"].to_pylist() == [cutout, cutout, cutout, None, None]
    errors = table["error"].to_pylist()
    assert errors[:3] == [None] * 3
    assert "not a picture" in errors[3]
    assert "The row has no picture" in errors[4]
    assert table["unknown"].to_pylist()[0] == pytest.approx(np.mean(scene.labels == 128))


def test_a_stage_takes_masks(scene: Scene) -> None:
    table = Matting(mask="mask", outputs=["alpha"])(
        {"image": [scene.picture.read_bytes()], "mask": [scene.mask.read_bytes()]}
    )

    matte = deepmatte.matte_mask(scene.picture, scene.mask)
    assert table["alpha"].to_pylist() == [encode_image(matte.alpha, ".png")]


def test_a_stage_says_which_column_is_missing() -> None:
    with pytest.raises(deepmatte.ImageError, match="no column trimap; there are image"):
        Matting()({"image": [b""]})
    with pytest.raises(
        deepmatte.ModelError, match=r"outputs is \['shadow'\]; expected a list of some of alpha"
    ):
        Matting(outputs=["shadow"])  # type: ignore[list-item]


# --- shards and object storage ------------------------------------------------------------------


def test_a_tar_in_object_storage_becomes_a_tar_of_mattes(
    scene: Scene, cutout: bytes, bucket: str
) -> None:
    picture, trimap = scene.picture.read_bytes(), scene.trimap.read_bytes()
    members = {"a/1.png": picture, "a/1.trimap.png": trimap, "a/2.png": picture[:200]}
    members |= {"a/2.trimap.png": trimap, "a/3.trimap.png": trimap}
    shard = Shard("0.tar", f"{bucket}/in/0.tar", f"{bucket}/out/0.tar", (("cutout", "{stem}.png"),))
    addresses.write([(shard.source, tar_of(members))])

    found = matte_shard(shard, Settings())

    written = members_of(addresses.read(shard.target))
    assert sorted(written) == ["a/1.cutout.png", "a/1.json", "a/2.json", "a/3.json"]
    assert written["a/1.cutout.png"] == cutout
    assert json.loads(written["a/1.json"])["error"] is None
    assert "0.tar: a/2" in json.loads(written["a/2.json"])["error"]
    assert [name for name, _ in found] == ["0.tar/a/1", "0.tar/a/2", "0.tar/a/3"]
    assert [finding.error is None for _, finding in found] == [True, False, False]


def test_a_damaged_tar_is_named_and_nothing_is_written(scene: Scene, tmp_path: Path) -> None:
    whole = tar_of({"1.png": scene.picture.read_bytes(), "1.trimap.png": b"x" * 20000})
    source, target = str(tmp_path / "0.tar"), str(tmp_path / "out/0.tar")
    Path(source).write_bytes(whole[: len(whole) // 2])

    ((name, finding),) = matte_shard(
        Shard("0.tar", source, target, (("cutout", "{stem}.png"),)), Settings()
    )

    assert name == "0.tar"
    assert finding.error is not None
    assert "cannot be read as a tar" in finding.error
    assert not Path(target).exists()


def test_a_table_keeps_its_columns_and_gains_the_mattes(
    scene: Scene, cutout: bytes, bucket: str
) -> None:
    from pyarrow import parquet

    picture, trimap = scene.picture.read_bytes(), scene.trimap.read_bytes()
    table = pa.table(
        {
            "id": pa.array([7, 8], pa.int16()),
            "image": [picture, b"none"],
            "trimap": [trimap, trimap],
            "tags": [["a"], []],
        }
    )
    written = io.BytesIO()
    parquet.write_table(table, written)
    patterns = (("cutout", "{stem}.cutout.png"), ("alpha", "{stem}.alpha.png"))
    shard = Shard("t.parquet", f"{bucket}/t.parquet", f"{bucket}/out/t.parquet", patterns)  # type: ignore
    addresses.write([(shard.source, written.getvalue())])

    matte_shard(shard, Settings())

    made = parquet.read_table(io.BytesIO(addresses.read(shard.target)))
    assert made["id"].type == pa.int16()
    assert made["id"].to_pylist() == [7, 8]
    assert made["tags"].to_pylist() == [["a"], []]
    assert made["cutout"].to_pylist() == [cutout, None]
    assert made["alpha"].null_count == 1
    assert made["error"].to_pylist()[0] is None
    assert "not a picture" in made["error"].to_pylist()[1]


def test_addresses_of_this_machine_need_no_engine_and_others_do(scene: Scene) -> None:
    command = [sys.executable, "-m", "deepmatte", "batch", "s3://photos/in", "out"]

    refused = subprocess.run(command, cwd=scene.folder, capture_output=True, text=True)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "--engine ray" in refused.stderr


def test_a_ledger_in_object_storage_is_kept_and_has_one_writer_at_a_time(bucket: str) -> None:
    made, other = Made("1.png", "10:tag", "settings"), Made("2.png", "10:tag", "settings")
    with OutLedger(f"{bucket}/kept") as kept:
        assert kept.ledger.claim([made, other]) == ["mine", "mine"]
        kept.ledger.write([(made, Finding())])
        with pytest.raises(deepmatte.MattingError, match="is writing to s3://photos/kept"):
            OutLedger(f"{bucket}/kept")

    with OutLedger(f"{bucket}/kept") as kept:
        left = kept.ledger.left([made, other], lambda made: made, lambda _: True)

    assert left == [other]
    assert sorted(addresses.listing(f"{bucket}/kept")) == []  # nothing but names with a dot


def sources_in(folder: str, out: str) -> Sources:
    """The pictures in `in` and their trimaps in `trimaps`, to cut-outs in ``out``."""
    return Sources(
        pictures=(f"{folder}/in",),
        partner="trimap",
        partners=f"{folder}/trimaps",
        out=f"{folder}/{out}",
        patterns=(("cutout", "{stem}.cutout.png"),),
    )


def test_what_a_folder_holds_is_seen_by_size_and_content(scene: Scene, bucket: str) -> None:
    for name in ("in/a/1.png", "in/2.png", "in/a/3.png", "trimaps/a/1.trimap.png", "trimaps/2.png"):
        addresses.write([(f"{bucket}/seen/{name}", name.encode())])
    sources = sources_in(f"{bucket}/seen", "out")

    found = find(sources)

    assert [job.name for job in found.pairing.jobs] == ["2.png", "a/1.png"]
    assert found.pairing.jobs[1].partner == f"{bucket}/seen/trimaps/a/1.trimap.png"
    assert found.pairing.jobs[1].outputs == (("cutout", f"{bucket}/seen/out/a/1.cutout.png"),)
    assert found.pairing.unpaired == {"a/3.png": "(has no trimap)"}
    addresses.write([(f"{bucket}/seen/trimaps/2.png", b"3.png")])
    again = find(sources)
    assert again.inputs["a/1.png"] == found.inputs["a/1.png"]
    assert again.inputs["2.png"] != found.inputs["2.png"]
    addresses.write([(f"{bucket}/seen/in/out/5.png", b"5")])
    with pytest.raises(deepmatte.MattingError, match=r"holds pictures \(5.png\)"):
        find(dataclasses.replace(sources, out=f"{bucket}/seen/in/out"))
    with pytest.raises(deepmatte.MattingError, match="in/ is read by this batch"):
        find(dataclasses.replace(sources, out=f"{bucket}/seen/in/"))


def test_outputs_of_an_earlier_batch_are_no_pictures(bucket: str, tmp_path: Path) -> None:
    for folder in (str(tmp_path), f"{bucket}/earlier"):
        names = ("in/1.png", "trimaps/1.png", "in/first/2.png", "in/first/.deepmatte-batch.sqlite")
        for name in (*names, "in/firstly/3.png", "in/a/first/4.png", "in/a/5.png"):
            if folder == str(tmp_path):
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            addresses.write([(f"{folder}/{name}", b"")])
        found = find(sources_in(folder, "out")).pairing

        assert [job.name for job in found.jobs] == ["1.png"]
        assert sorted(found.unpaired) == ["a/5.png", "a/first/4.png", "firstly/3.png"]


# --- a cluster ----------------------------------------------------------------------------------


class Node:
    """One node of a Ray cluster on this machine, with one processor."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        words = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1")
        options = ("--disable-usage-stats", "--object-store-memory=100000000", *arguments)
        self.said = folder / f"{time.monotonic_ns()}.txt"
        with open(self.said, "wb") as log:
            self.process = subprocess.Popen(
                (*words, *options), stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 120
        while "Ray runtime started" not in self.said.read_text():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < end, self.said.read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """End all of its processes at once, as a machine does that loses its power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def cluster(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Node]]:
    """The address of a cluster of two nodes, and its second node."""
    pytest.importorskip("ray", reason="needs deepmatte[cluster]")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of-this-test-alone")
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    nodes: list[Node] = []
    # Ray's sockets lie below this folder, and their paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        first = ("--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false")
        try:
            nodes.append(Node(tmp_path, *first))
            address = re.findall(r"--address='([^']+)'", nodes[0].said.read_text())[0]
            nodes.append(Node(tmp_path, f"--address={address}"))
            yield address, nodes[1]
        finally:
            for node in reversed(nodes):
                node.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
def test_a_cluster_that_loses_a_machine_does_every_picture_once(
    scene: Scene, cutout: bytes, bucket: str, cluster: tuple[str, Node]
) -> None:
    address, second = cluster
    picture, trimap = scene.picture.read_bytes(), scene.trimap.read_bytes()
    names = [f"{number % 3}/{number:03}" for number in range(48)]
    for name in names:
        content = picture[:100] if name.endswith("7") else picture
        addresses.write([(f"{bucket}/job/in/{name}.png", content)])
        addresses.write([(f"{bucket}/job/trimaps/{name}.png", trimap)])
    words = (sys.executable, "-m", "deepmatte", "batch", f"{bucket}/job/in", f"{bucket}/job/mattes")
    options = ("--trimaps", f"{bucket}/job/trimaps", "--engine", "ray", "--address", address)
    with subprocess.Popen((*words, *options), stderr=subprocess.PIPE, text=True) as job:
        while len(addresses.listing(f"{bucket}/job/mattes")) < 10:
            assert job.poll() is None, job.communicate()[1]
            time.sleep(0.2)
        second.kill()
        said = job.communicate(timeout=300)[1]

    broken = [name for name in names if name.endswith("7")]
    assert job.returncode == 1, said
    assert f"{len(names) - len(broken)} done, {len(broken)} failed" in said
    whole = [name for name in names if name not in broken]
    assert sorted(addresses.listing(f"{bucket}/job/mattes")) == sorted(
        f"{name}.cutout.png" for name in whole
    )
    assert {addresses.read(f"{bucket}/job/mattes/{name}.cutout.png") for name in whole} == {cutout}
    assert said.count("not a picture") + said.count("cannot be read") == len(broken)

    for name in broken:
        addresses.write([(f"{bucket}/job/in/{name}.png", picture)])
    mended = subprocess.run((*words, *options), capture_output=True, text=True)

    assert mended.returncode == 0, mended.stderr
    assert f"{len(broken)} done, {len(whole)} done before, 0 failed" in mended.stderr

    sources = sources_in(f"{bucket}/job", "mattes")
    found = find(sources)
    with OutLedger(sources.out) as kept:
        for settings, left in ((Settings(), 0), (Settings(quality="high"), len(names))):
            assert len(ClusterRun(found, settings, kept, Tally()).left_to_do()) == left


def test_shards_are_done_once_and_their_failures_are_said_again(
    scene: Scene, cutout: bytes, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs deepmatte[cluster]")
    picture, trimap = scene.picture.read_bytes(), scene.trimap.read_bytes()
    members = {"1.png": picture, "1.trimap.png": trimap, "2.png": b"none", "2.trimap.png": trimap}
    (tmp_path / "in").mkdir()
    (tmp_path / "in/0.tar").write_bytes(tar_of(members))
    words = (sys.executable, "-m", "deepmatte", "batch", "in", "out", "--engine", "ray")

    first = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    written = (tmp_path / "out/0.tar").stat().st_mtime_ns
    second = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)

    assert (first.returncode, second.returncode) == (1, 1), first.stderr
    assert "1 done, 1 failed" in first.stderr
    assert "0 done, 1 done before, 1 failed" in second.stderr
    assert (tmp_path / "out/0.tar").stat().st_mtime_ns == written
    assert members_of((tmp_path / "out/0.tar").read_bytes())["1.cutout.png"] == cutout
