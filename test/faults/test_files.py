"""Faults 22 and 23 of docs/reference/faults.md: files and parameters, against the package's own node with `lite`."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, Scene

from smplerx_ros.backbones.smpler_x.bundle import Bundle, FileRecord

ESTIMATOR = (sys.executable, "-m", "smplerx_ros.ros.node.main")
ASSETS = resources.files("smplerx_ros") / "assets"
USUAL = {"backbone": "lite", "weights": "", "body_model": ""}


class Trap:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def bundle(directory: Path, content: bytes | None = None, **changes: Any) -> Path:
    """A bundle that says it is s32 and holds another, small network."""
    directory.mkdir()
    path = directory / "model.onnx"
    path.write_bytes(content or (ASSETS / "hand_recrop.onnx").read_bytes())
    record = FileRecord.of(path)
    Bundle(directory, "s32", "onnx", "fp32", (record,), FileRecord("x.pth.tar", 1, "")).save()
    manifest = directory / "bundle.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))
    return directory


def flipped(directory: Path) -> Path:
    path = bundle(directory) / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return directory


def truncated(directory: Path) -> Path:
    path = bundle(directory) / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    return directory


def incomplete(directory: Path) -> Path:
    (bundle(directory) / "model.onnx").unlink()
    return directory


def leaving(directory: Path) -> Path:
    manifest = bundle(directory) / "bundle.json"
    content = json.loads(manifest.read_text())
    content["files"].append(content["files"][0] | {"name": "../model.onnx"})
    manifest.write_text(json.dumps(content))
    return directory


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def trap(path: Path) -> bytes:
    return pickle.dumps({"network": Trap(path.parent / "sprung"), "v_template": Trap(path.parent / "sprung")})


def body_of(**changes: np.ndarray) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        with (ASSETS / "SMPLX_NEUTRAL_standin_anny.npz").open("rb") as file, np.load(file) as archive:
            arrays = dict(archive)
        np.savez(path, **(arrays | changes))
        return path.with_name(path.name + ".npz")

    return make


def half_a_body(path: Path) -> Path:
    content = (ASSETS / "SMPLX_NEUTRAL_standin_anny.npz").read_bytes()
    return written(path, content[: len(content) // 2])


S32 = {"backbone": "s32"}
# What the parameter is given, the other parameters, and what the log says.
FILES: dict[str, tuple[str, dict[str, str], Callable[[Path], Path], str]] = {
    "no bundle": ("weights", S32, lambda p: p, "no such directory"),
    "a bundle without a manifest": ("weights", S32, lambda p: p.parent, "no bundle.json in it"),
    "a flipped byte": ("weights", S32, flipped, "model.onnx: its SHA-256 differs from the recorded one"),
    "a truncated file": ("weights", S32, truncated, "model.onnx: "),
    "a missing file": ("weights", S32, incomplete, "model.onnx: missing"),
    "another backbone": ("weights", S32, lambda p: bundle(p, backbone="b32"), "holds b32, not s32"),
    "another version": ("weights", S32, lambda p: bundle(p, format=99), "damaged or of another version"),
    "a path that leaves the bundle": ("weights", S32, leaving, "'../model.onnx' is outside the bundle"),
    "a checkpoint with code in it": (
        "weights",
        S32,
        lambda p: written(p, trap(p)),
        "a file, not a bundle's directory; make one with",
    ),
    "a bundle with code for a network": ("weights", S32, lambda p: bundle(p, trap(p)), "not a usable ONNX file"),
    "no body": ("body_model", {}, lambda p: p, "no such file"),
    "half a body": ("body_model", {}, half_a_body, "a damaged .npz file"),
    "a body with code in it": ("body_model", {}, lambda p: written(p, trap(p)), "not a model"),
    "a body called a pickle": (
        "body_model",
        {},
        lambda p: written(p.with_suffix(".pkl"), trap(p)),
        "pickles can run code",
    ),
    "a table of objects": ("body_model", {}, body_of(weights=np.array([Trap(Path("/")), 0])), "weights cannot be read"),
    "another tree": (
        "body_model",
        {},
        body_of(kintree_table=np.zeros((2, 55), int)),
        "is not the joint tree of SMPL-X",
    ),
    "another model's joints": ("body_model", {}, body_of(weights=np.zeros((13718, 24))), "weights has shape"),
    "no numbers": ("body_model", {}, body_of(v_template=np.full((13718, 3), np.nan)), "non-finite"),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("node"), "autostart:=false", "camera_info_timeout:=0.0", command=ESTIMATOR)
    yield made
    made.close()


@pytest.mark.parametrize("name", FILES)
def test_22_files_are_refused_by_name_and_nothing_is_run(scene: Scene, tmp_path: Path, name: str) -> None:
    parameter, others, make, words = FILES[name]
    path = make(tmp_path / "given")
    for key, value in (USUAL | others | {parameter: str(path)}).items():
        assert scene.set_parameter(key, value).successful
    mark = len(scene.node.log)
    assert not scene.graph.transition(CONFIGURE)
    lines = [line for line in scene.node.log[mark:].splitlines() if "on_configure failed: " in line]
    assert len(lines) == 1
    assert words in lines[0]
    assert str(path) in lines[0]
    assert not (tmp_path / "sprung").exists()
    assert scene.graph.state() == "unconfigured"
    scene.graph.diagnostic(lambda level, text, _: level == 2 and words in text)
    assert "Traceback" not in scene.node.log


def test_22_and_configures_with_good_ones(scene: Scene) -> None:
    for key, value in USUAL.items():
        assert scene.set_parameter(key, value).successful
    scene.transitions(CONFIGURE, ACTIVATE)
    scene.graph.connect()
    assert scene.answer(scene.graph.image).people == []  # a grey wall


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("detection.threshold", 7.0, "out of range"),
        ("max_people", 0, "out of range"),
        ("detection.interval", "often", "is not an integer"),
        ("tf.enabled", 3, "is not a boolean"),
        ("detector", "psychic", "is not a choice"),
        ("backbone", "s32", "deactivate and clean up first"),
        ("device", "cuda", "deactivate and clean up first"),
        ("bacbone", "s32", "did you mean 'backbone'"),
    ],
)
def test_23_parameters_while_active(scene: Scene, name: str, value: object, words: str) -> None:
    """Refused with a reason, while images are estimated; a name that the node does not know changes nothing."""
    result = scene.set_parameter(name, value)
    assert not result.successful
    assert words in result.reason
    assert scene.graph.state() == "active"
    assert scene.answer(scene.graph.image).people == []
    assert "Traceback" not in scene.node.log


def test_23_live_parameters_change_between_images(scene: Scene) -> None:
    for value in (0.3, 0.9, 0.2):
        assert scene.set_parameter("detection.threshold", value).successful
        assert scene.answer(scene.graph.image).people == []
    scene.transitions(DEACTIVATE, CLEANUP)
