"""Nothing leaves the machine: each way in runs with an empty home, watched by strace."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image

from deepmatte.subject.segmenters import people_weights

if TYPE_CHECKING:
    from conftest import Scene

COMMAND = (sys.executable, "-m", "deepmatte")
STRACE = shutil.which("strace")
LOCAL = ("AF_UNIX", "AF_NETLINK")  # other processes and the kernel of this machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(STRACE is None, reason="needs strace"),
    pytest.mark.skipif(sys.platform != "linux", reason="strace is of Linux"),
]


class Watched(NamedTuple):
    """A command under strace."""

    process: subprocess.Popen[str]
    home: Path
    trace: Path

    def finish(self, exit_code: int = 0) -> list[str]:
        """What it did with internet addresses, once it has ended."""
        try:
            output, errors = self.process.communicate(timeout=300)
        finally:
            # strace and what it watches, which would go on without it; and wait for it, since a
            # process that nobody waits for is found by the garbage collector, in another test.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        assert self.process.returncode == exit_code, output + errors
        assert [str(path) for path in self.home.rglob("*") if path.is_file()] == []
        calls = self.trace.read_text(encoding="utf-8").splitlines()
        families = [(re.search(r"AF_\w+", call), call) for call in calls]
        found = [call for family, call in families if family and family[0] not in LOCAL]
        # urllib3, which accelerate loads where boto3 is installed, tries whether there is IPv6.
        return [call for call in found if not re.search(r" bind\(.*\(0\).*\"::1\"", call)]


def watch(folder: Path, *command: str) -> Watched:
    """Start a command as a new user would: nothing in the home, no switch set."""
    assert STRACE is not None
    home, trace = folder / "home", folder / "trace"
    home.mkdir(parents=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ORT_", "HF_", "RAY_", "XDG_", "DO_NOT_"))
    }
    environment = {
        **kept,
        "HOME": str(home),
        "TMPDIR": str(home),  # short: the sockets of a training's processes lie there (107 letters)
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    strace = (STRACE, "-f", "-qq", "--seccomp-bpf", "-o", str(trace))
    # The calls that name an address; whoever looks up a name connects to a server of names first.
    calls = ("-e", "trace=connect,bind,sendto,sendmsg,sendmmsg")
    process = subprocess.Popen(
        [*strace, *calls, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return Watched(process, home, trace)


def test_the_watcher_sees_a_file_and_a_connection(tmp_path: Path) -> None:
    # Nothing is sent by this, and there is nobody at this address (RFC 5737).
    code = "import socket as s; s.socket(s.AF_INET, s.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    assert len(watch(tmp_path, sys.executable, "-c", code).finish()) == 1

    (tmp_path / "again").mkdir()
    code = "import pathlib; (pathlib.Path.home() / 'deviceid').touch()"
    with pytest.raises(AssertionError, match="deviceid"):
        watch(tmp_path / "again", sys.executable, "-c", code).finish()


def test_a_matte_in_python(scene: Scene, tmp_path: Path) -> None:
    code = f"import deepmatte; deepmatte.matte({str(scene.picture)!r}, {str(scene.trimap)!r}).alpha"

    assert watch(tmp_path, sys.executable, "-c", code).finish() == []


@pytest.mark.parametrize(
    "module", ["deepmatte.solver.engine", "deepmatte.evaluation.methods", "deepmatte.cli.app"]
)
def test_every_module_passes_the_one_place(module: str) -> None:
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("ORT_", "RAY_", "HF_"))}
    code = f"import os, {module}; print(os.environ['ORT_DISABLE_TELEMETRY'])"

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "1\n"


def test_a_matte_on_the_command_line(scene: Scene, tmp_path: Path) -> None:
    matte = (*COMMAND, "matte", str(scene.picture), str(scene.trimap))

    assert watch(tmp_path, *matte).finish() == []
    assert scene.picture.with_suffix(".cutout.png").exists()


def test_a_batch_in_several_processes(scene: Scene, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a", "b"):
        shutil.copy(scene.picture, photos / f"{name}.png")
        shutil.copy(scene.trimap, photos / f"{name}.trimap.png")
    words = ("batch", str(photos), str(tmp_path / "out"), "--processes", "2")

    assert watch(tmp_path, *COMMAND, *words).finish() == []
    assert len(list((tmp_path / "out").iterdir())) >= 2


def test_an_evaluation_in_several_processes(scene: Scene, tmp_path: Path) -> None:
    for kind in ("images", "alphas", "trimaps"):
        (scene.folder / "set" / kind).mkdir(parents=True)
    for name in ("a", "b"):
        shutil.copy(scene.picture, scene.folder / "set" / "images" / f"{name}.png")
        shutil.copy(scene.mask, scene.folder / "set" / "alphas" / f"{name}.png")
        shutil.copy(scene.trimap, scene.folder / "set" / "trimaps" / f"{name}.png")
    arguments = ("evaluate", str(scene.folder / "set"), "--workers", "2")

    watched = watch(tmp_path, *COMMAND, *arguments, "--out", str(tmp_path / "report"))

    assert watched.finish() == []
    assert (tmp_path / "report" / "report.html").exists()


def test_a_training(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs deepmatte[train]")
    photos = tmp_path / "photos"
    photos.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)
    for name in ("one.png", "two.png"):
        Image.fromarray(noise).save(photos / name)
    small = "--steps 1 --scenes 1 --per-scene 2 --sides 64 --crop 64 --held-out 1"
    small += " --workers 1 --threads 1"
    (tmp_path / "t").mkdir()
    run = tmp_path / "run"
    arguments = ("train", "lite", "--backgrounds", str(photos), "--out", str(run))

    training = watch(tmp_path / "t", *COMMAND, *arguments, "--start", "lite", *small.split())
    assert training.finish() == []
    assert (run / "checkpoint.pt").exists()


def test_an_export(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs deepmatte[train]")
    from deepmatte import networks
    from deepmatte.networks.dim import DeepImageMatting, DimConfig

    small, exported = tmp_path / "small.safetensors", tmp_path / "small.onnx"
    networks.save(DeepImageMatting(DimConfig(width=1 / 16, fc6_kernel=None)), small)

    assert watch(tmp_path, *COMMAND, "export", str(small), "-o", str(exported)).finish() == []
    assert exported.exists()


def test_a_subject_in_a_box(scene: Scene, tmp_path: Path) -> None:
    matte = (*COMMAND, "matte", str(scene.picture), "--box", "20,5,100,85")

    assert watch(tmp_path, *matte).finish() == []


@pytest.mark.skipif(people_weights() is None, reason="needs MediaPipe 0.10.21, with its weights")
def test_a_subject_that_is_looked_for(tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data", reason="needs NASA's photo of an astronaut")
    Image.fromarray(data.astronaut()[:256, 96:352]).save(tmp_path / "photo.png")

    assert (
        watch(tmp_path, *COMMAND, "matte", str(tmp_path / "photo.png"), "--subject").finish() == []
    )
    assert (tmp_path / "photo.cutout.png").exists()


def test_the_studio_listens_on_this_machine_and_asks_nobody(scene: Scene, tmp_path: Path) -> None:
    pytest.importorskip("starlette", reason="needs deepmatte[studio]")
    arguments = ("studio", str(scene.picture), "--no-browser", "--port", "0")
    watched = watch(tmp_path, *COMMAND, *arguments)
    assert watched.process.stdout is not None
    line = watched.process.stdout.readline()
    found = re.search(r"(http://127\.0\.0\.1:\d+)/#token=([\w-]+)", line)
    assert found, line
    address, token = found.groups()

    def ask(path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(address + path, body, {"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    picture = json.loads(ask("/api/start"))["picture"]
    size = f"left=0&top=0&width={picture['width']}&height={picture['height']}"
    assert b'"done"' in ask(f"/api/pictures/{picture['id']}/edits?{size}", scene.labels.tobytes())
    assert listens_on_this_machine_alone(watched, 128 + signal.SIGTERM)


def test_the_http_server_listens_on_this_machine_and_asks_nobody(
    scene: Scene, tmp_path: Path
) -> None:
    pytest.importorskip("prometheus_client", reason="needs deepmatte[serve]")
    requests = pytest.importorskip("requests")
    watched = watch(tmp_path, *COMMAND, "serve", "--port", "0")
    assert watched.process.stdout is not None
    line = watched.process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line
    files = {"image": scene.picture.read_bytes(), "trimap": scene.trimap.read_bytes()}

    assert requests.post(f"{found[0]}/matte", files=files, timeout=120).status_code == 200
    assert listens_on_this_machine_alone(watched, 0)


def listens_on_this_machine_alone(watched: Watched, exit_code: int) -> bool:
    """End a server, and see what it did."""
    server = int(watched.trace.read_text(encoding="utf-8").split()[0])
    os.kill(server, signal.SIGTERM)  # not strace itself, which would leave it running
    (call,) = watched.finish(exit_code)
    return re.search(r" bind\(.*127\.0\.0\.1", call) is not None
