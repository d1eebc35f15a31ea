"""Files that are made to exhaust memory, and a run without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from smplerx_ros.backbones.smpler_x.bundle import MAX_MANIFEST, Bundle
from smplerx_ros.body.model_file import LARGEST_ARRAY, read_body
from smplerx_ros.errors import ModelFileError
from support.paths import ROOT

# Python's own hook at start: no address but this machine's can be connected to or looked up.
NO_NETWORK = """
import socket
LOOPBACK = ("127.0.0.1", "::1", "localhost")
def checked(method):
    def call(self, address, *rest):
        if self.family != socket.AF_UNIX and address[0] not in LOOPBACK:
            open(%(told)r, "a").write(repr(address))
            raise OSError(f"a connection to {address}")
        return method(self, address, *rest)
    return call
def refused(host, *rest, **options):
    open(%(told)r, "a").write(repr(host))
    raise OSError(f"a look-up of {host}")
socket.socket.connect = checked(socket.socket.connect)
socket.socket.connect_ex = checked(socket.socket.connect_ex)
socket.socket.sendto = lambda *_: refused("sendto")
socket.getaddrinfo = refused
"""


def test_a_bomb_called_a_body(tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("v_template.npy", "w") as entry:
        rows = LARGEST_ARRAY // 24 + 1
        np.lib.format.write_array_header_1_0(entry, {"descr": "<f8", "fortran_order": False, "shape": (rows, 3)})
        for _ in range(24):
            entry.write(bytes(rows))
    assert path.stat().st_size < LARGEST_ARRAY / 500
    with path.open("rb") as file, pytest.raises(ModelFileError, match=r"v_template unpacks to \d+ bytes, more than"):
        read_body(file, str(path))


def test_a_manifest_that_does_not_end(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes(b" " * (MAX_MANIFEST + 1))
    with pytest.raises(ModelFileError, match=r"bundle\.json: damaged"):
        Bundle.load(tmp_path)
    (tmp_path / "bundle.json").write_text("[" * 100_000)
    with pytest.raises(ModelFileError, match=r"bundle\.json: damaged"):
        Bundle.load(tmp_path)


def test_estimating_opens_no_connection(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    told = tmp_path / "told"
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK % {"told": str(told)})
    cv2.imwrite(str(tmp_path / "image.png"), np.full((120, 160, 3), 90, np.uint8))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.1', 9))"]
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode != 0
    assert told.exists()  # the hook works
    told.unlink()
    command = [
        sys.executable,
        "-m",
        "smplerx_ros",
        "estimate",
        str(tmp_path / "image.png"),
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "people.npz").exists()
    assert not told.exists()
