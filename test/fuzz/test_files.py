"""Damaged bundles and body models are refused with a ModelFileError that names the file; nothing else is raised."""

from __future__ import annotations

import io
import json
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smplerx_ros.backbones.smpler_x.bundle import Bundle, FileRecord
from smplerx_ros.body.model_file import read_body
from smplerx_ros.errors import ModelFileError
from support.smplx_cases import synthetic_model

FUZZ = settings.get_profile("fuzz")
LONGEST_MESSAGE = 1000  # characters
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)
NETWORK = (resources.files("smplerx_ros") / "assets" / "hand_recrop.onnx").read_bytes()


def manifest(directory: Path) -> dict[str, Any]:
    """Of a bundle that is right."""
    (directory / "model.onnx").write_bytes(NETWORK)
    record = FileRecord.of(directory / "model.onnx")
    Bundle(directory, "s32", "onnx", "fp32", (record,), FileRecord("x.pth.tar", 1, "")).save()
    return json.loads((directory / "bundle.json").read_text())  # type: ignore[no-any-return]


@FUZZ
@given(st.data())
def test_manifests(tmp_path_factory: Any, data: st.DataObject) -> None:
    directory = tmp_path_factory.getbasetemp() / "bundle"
    directory.mkdir(exist_ok=True)
    content: Any = manifest(directory)
    for key in data.draw(st.sets(st.sampled_from([*content, "more"]), max_size=3)):
        content[key] = data.draw(JSON)
    if data.draw(st.booleans()):
        content["files"] = [data.draw(st.dictionaries(st.sampled_from(["name", "size", "sha256"]), JSON))]
    text = json.dumps(content)
    at = data.draw(st.integers(0, len(text)))
    (directory / "bundle.json").write_text(text[:at] + data.draw(st.text(max_size=3)) + text[at:], "utf-8")
    try:
        bundle = Bundle.load(directory)
    except ModelFileError as error:
        named(error, str(directory))
        return
    assert bundle.model_path.parent == directory
    assert bundle.model_path.is_file()


@FUZZ
@given(st.integers(0, len(NETWORK) - 1), st.integers(1, 255))
def test_any_flipped_byte_is_noticed(tmp_path_factory: Any, at: int, mask: int) -> None:
    directory = tmp_path_factory.getbasetemp() / "flipped"
    directory.mkdir(exist_ok=True)
    manifest(directory)
    content = bytearray(NETWORK)
    content[at] ^= mask
    (directory / "model.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.onnx: its SHA-256 differs from the recorded one"):
        Bundle.load(directory)


def small_body() -> dict[str, Any]:
    """A body's file with all its keys; its vertices are too few for SMPL-X, which comes last of what is checked."""
    model = synthetic_model(20)
    model["posedirs"] = np.zeros(model["posedirs"].shape, np.float16)
    return model


BODY = small_body()
SHAPES = st.lists(st.integers(0, 4), max_size=4)
KINDS = st.sampled_from(["f4", "f8", "f2", "i4", "u1", "U3", "c8", "?", "M8[s]", "S2", "V4"])


@FUZZ
@given(st.data())
def test_bodies(data: st.DataObject) -> None:
    arrays = {key: value for key, value in BODY.items() if key not in ("posedirs", "shapedirs")}
    for key in data.draw(st.sets(st.sampled_from(sorted(BODY)), min_size=1, max_size=3)):
        arrays[key] = np.zeros(data.draw(SHAPES), data.draw(KINDS))
    file = io.BytesIO()
    np.savez(file, **arrays)
    refuses(file)


@FUZZ
@given(st.data())
def test_bytes_of_bodies(data: st.DataObject) -> None:
    """Archives with other bytes, and archives of anything."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for name in data.draw(
            st.sets(st.sampled_from(["v_template.npy", "f.npy", "body_name.npy", "../x", "weights"]))
        ):
            part = io.BytesIO()
            np.save(part, np.zeros(data.draw(SHAPES), data.draw(KINDS)))
            archive.writestr(name, data.draw(st.just(part.getvalue()) | st.binary(max_size=90)))
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    refuses(io.BytesIO(bytes(content[: data.draw(st.integers(0, len(content)))])))


def refuses(file: io.BytesIO) -> None:
    file.seek(0)
    with pytest.raises(ModelFileError) as caught:
        read_body(file, "given.npz")
    named(caught.value, "given.npz")


def named(error: ModelFileError, file: str) -> None:
    assert file in str(error)
    assert len(str(error)) < LONGEST_MESSAGE
