"""Conversion into bundles, and bundles that were damaged or mixed up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import smplerx_ros
from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.backbones.smpler_x.bundle import Bundle, sha256
from smplerx_ros.backbones.smpler_x.convert import STEPS, convert
from smplerx_ros.backbones.smpler_x.model import Model, padded
from smplerx_ros.backbones.smpler_x.self_check import LIMITS, check, check_images
from smplerx_ros.errors import ConfigError, InputError, ModelFileError
from support import parity

pytest.importorskip("torch")
pytest.importorskip("onnxscript")


@pytest.fixture
def copied(s32_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(s32_bundle, tmp_path / "bundle"))


def edit(directory: Path, **changes: Any) -> None:
    path = directory / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_bundle_says_what_it_is(s32_bundle: Path, s32_checkpoint: Path) -> None:
    bundle = Bundle.load(s32_bundle)
    assert (bundle.backbone, bundle.runtime, bundle.precision) == ("s32", "onnx", "fp32")
    assert bundle.source.name == "smpler_x_s32.pth.tar"
    assert bundle.source.sha256 == sha256(s32_checkpoint)
    assert bundle.inputs["image"]["shape"] == ["batch", 256, 192, 3]
    assert bundle.outputs["pose_6d"]["shape"] == ["batch", 53, 6]
    assert set(bundle.self_check) == set(LIMITS["fp32"])
    assert sorted(path.name for path in s32_bundle.iterdir()) == ["bundle.json", "model.onnx", "model.onnx.data"]


def test_the_network_tells_nothing_of_the_machine_it_was_made_on(s32_bundle: Path) -> None:
    content = (s32_bundle / "model.onnx").read_bytes()
    assert b"site-packages" not in content
    assert str(Path(smplerx_ros.__file__).parent).encode() not in content


def test_the_network_is_read_by_old_runtimes(s32_bundle: Path) -> None:
    """ONNX Runtime 1.17, the oldest that the package takes, reads files up to version 9."""
    import onnx

    model = onnx.load(s32_bundle / "model.onnx", load_external_data=False)
    assert model.ir_version <= 9
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]


# Half precision is slow in torch on a CPU: the self-check takes most of a minute.
@pytest.mark.parametrize("precision", ["fp32", pytest.param("fp16", marks=pytest.mark.slow)])
def test_torch_bundle(s32_checkpoint: Path, tmp_path: Path, precision: str) -> None:
    steps: list[str] = []
    out = tmp_path / "new" / "s32"
    convert(s32_checkpoint, out, runtime="torch", precision=precision, progress=steps.append)
    assert tuple(steps) == STEPS
    assert [path.name for path in out.parent.iterdir()] == ["s32"]
    size = (out / "model.safetensors").stat().st_size / s32_checkpoint.stat().st_size
    assert size < (0.6 if precision == "fp16" else 1.05)
    assert Bundle.load(out).precision == precision
    model = smplerx_ros.load_model("s32", out, runtime="torch", precision="fp32")
    reference = parity.vectors("s32")["out_body_pose"]
    tolerance = 0.05 if precision == "fp16" else 1e-3
    np.testing.assert_allclose(model.predict(parity.crops()).body_pose, reference, atol=tolerance)


def test_a_bundle_of_the_first_format_works_without_confidences(copied: Path, caplog: pytest.LogCaptureFixture) -> None:
    import onnx

    path = copied / "model.onnx"
    model = onnx.load(path, load_external_data=False)
    (output,) = [output for output in model.graph.output if output.name == "joint_spread"]
    model.graph.output.remove(output)
    path.write_bytes(model.SerializeToString())
    manifest = json.loads((copied / "bundle.json").read_text())
    manifest["files"][0] |= {"size": path.stat().st_size, "sha256": sha256(path)}
    del manifest["outputs"]["joint_spread"]
    (copied / "bundle.json").write_text(json.dumps(manifest | {"format": 1}))
    old = smplerx_ros.load_model("s32", copied).predict(parity.crops()[:1])
    assert "confidences are unknown (NaN); make one with: python -m smplerx_ros convert" in caplog.text
    assert old.joint_spread is None
    assert np.isnan(old.confidence[0, 0])
    np.testing.assert_allclose(old.body_pose, parity.vectors("s32")["out_body_pose"][:1], atol=1e-3)


def test_both_runtimes_tell_how_far_heat_maps_are_spread(s32_bundle: Path, s32_checkpoint: Path) -> None:
    crops = parity.crops()
    onnx = smplerx_ros.load_model("s32", s32_bundle).predict(crops)
    torch = smplerx_ros.load_model("s32", s32_checkpoint, runtime="torch").predict(crops)
    assert onnx.joint_spread is not None
    assert onnx.joint_spread.shape == (4, 65)
    assert torch.joint_spread is not None
    np.testing.assert_allclose(onnx.joint_spread, torch.joint_spread, atol=1e-3)
    np.testing.assert_allclose(onnx.confidence, torch.confidence, atol=1e-3)
    assert np.ptp(onnx.confidence) > 0.1


@pytest.mark.slow
def test_onnx_in_half_precision(s32_checkpoint: Path, tmp_path: Path) -> None:
    bundle = convert(s32_checkpoint, tmp_path / "s32", precision="fp16")
    assert sum(record.size for record in bundle.files) < 0.6 * s32_checkpoint.stat().st_size
    model = smplerx_ros.load_model("s32", bundle.directory)
    reference = parity.vectors("s32")["out_body_pose"]
    np.testing.assert_allclose(model.predict(parity.crops()[:3]).body_pose, reference[:3], atol=0.05)


@pytest.fixture(scope="module")
def int8_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Of a network of the smallest backbone."""
    import torch

    from smplerx_ros.backbones.smpler_x.network import build_network
    from smplerx_ros.research.training.snapshots import published_state

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("int8")
    torch.save({"network": published_state(build_network(BACKBONES["tiny"]).eval())}, folder / "tiny.pth.tar")
    return convert(folder / "tiny.pth.tar", folder / "bundle", backbone=BACKBONES["tiny"], precision="int8")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_int8_runs_on_the_cpu(int8_bundle: Bundle, device: str) -> None:
    assert int8_bundle.precision == Bundle.load(int8_bundle.directory).precision == "int8"
    assert int8_bundle.self_check["mean_rotation"] > 1e-4
    model = smplerx_ros.load_model("tiny", int8_bundle.directory, device=device)
    assert (model.network.provider, model.precision) == ("CPUExecutionProvider", "int8")
    assert np.isfinite(model.predict(parity.crops()[:1]).body_pose).all()


@pytest.mark.parametrize("device", ["cuda", "tensorrt", "openvino"])
def test_int8_is_refused_elsewhere(int8_bundle: Bundle, device: str) -> None:
    with pytest.raises(ConfigError, match=rf"device '{device}'.*'int8' is for CPUs; choose auto or cpu"):
        smplerx_ros.load_model("tiny", int8_bundle.directory, device=device)


def test_int8_is_refused_by_torch(s32_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'int8' is for runtime 'onnx'.*fp32 or fp16"):
        convert(s32_checkpoint, tmp_path / "out", runtime="torch", precision="int8")
    with pytest.raises(ConfigError, match=r"'int8' is for runtime 'onnx'.*bf16"):
        smplerx_ros.load_model("s32", s32_checkpoint, runtime="torch", precision="int8")


def test_refused_checkpoints_leave_nothing_behind(tmp_path: Path) -> None:
    page = tmp_path / "smpler_x_s32.pth.tar"
    page.write_text("<html>not found</html>")
    with pytest.raises(ModelFileError, match="a web page"):
        convert(page, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [page]


def test_an_existing_directory_is_not_overwritten(s32_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="already exists"):
        convert(s32_checkpoint, tmp_path)


def test_a_place_that_cannot_be_written(s32_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be written.*SMPLERX_CACHE"):
        convert(s32_checkpoint, tmp_path / "file" / "out")


def test_self_check_refuses_another_network(s32_bundle: Path) -> None:
    network = smplerx_ros.load_model("s32", s32_bundle).network
    reference = network.run({"image": check_images()})
    assert max(check(network, reference, "fp32").values()) < 1e-3
    with pytest.raises(ModelFileError, match=r"differs.*rotation"):
        check(network, reference | {"pose_6d": -reference["pose_6d"]}, "fp32")
    for name in ("betas", "pose_6d"):
        with pytest.raises(ModelFileError, match=rf"differs.*{name} by nan"):
            check(network, reference | {name: np.full_like(reference[name], np.nan)}, "fp32")


def test_changed_weights_are_refused(copied: Path) -> None:
    with (copied / "model.onnx.data").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01\x02\x03")
    with pytest.raises(ModelFileError, match=r"model\.onnx\.data.*SHA-256"):
        smplerx_ros.load_model("s32", copied)


def test_truncated_and_missing_files_are_refused(copied: Path) -> None:
    data = copied / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"model\.onnx\.data: \d+ bytes, expected"):
        Bundle.load(copied)
    data.unlink()
    with pytest.raises(ModelFileError, match=r"model\.onnx\.data: missing"):
        Bundle.load(copied)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 3},
        {"backbone": "lite"},
        {"precision": "int4"},
        {"files": []},
        {"files": [{"name": "model.onnx", "size": 1, "sha256": ""}, {"name": "../x", "size": 1, "sha256": ""}]},
        {"surprise": 1},
    ],
)
def test_damaged_manifest(copied: Path, changes: dict[str, Any]) -> None:
    edit(copied, **changes)
    with pytest.raises(ModelFileError, match=r"bundle\.json: damaged or of another version"):
        Bundle.load(copied)


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_manifest_of_other_content(copied: Path, content: str) -> None:
    (copied / "bundle.json").write_text(content)
    with pytest.raises(ModelFileError, match=r"bundle\.json"):
        Bundle.load(copied)


def test_options_that_do_not_go_together(s32_bundle: Path, tmp_path: Path) -> None:
    load = smplerx_ros.load_model
    with pytest.raises(ModelFileError, match="holds s32, not b32"):
        load("b32", s32_bundle)
    with pytest.raises(ConfigError, match=r"runtime 'torch'.*is for 'onnx'"):
        load("s32", s32_bundle, runtime="torch")
    with pytest.raises(ConfigError, match=r"precision 'fp16'.*holds fp32"):
        load("s32", s32_bundle, precision="fp16")
    with pytest.raises(ConfigError, match="runtime 'tflite' is unknown"):
        load("s32", s32_bundle, runtime="tflite")
    with pytest.raises(ConfigError, match="precision 'int4' is unknown"):
        load("s32", s32_bundle, precision="int4")
    with pytest.raises(ConfigError, match="'lite' has no weights"):
        load("lite", s32_bundle)
    with pytest.raises(ModelFileError, match=r"no bundle\.json"):
        load("s32", tmp_path)
    with pytest.raises(ModelFileError, match=r"smplerx_ros convert"):
        load("s32", tmp_path / "absent")


def test_a_checkpoint_is_converted_into_the_cache_once(
    s32_checkpoint: Path, s32_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def copy_instead(checkpoint: Path, out: Path, **_: Any) -> None:
        calls.append(checkpoint)
        shutil.copytree(s32_bundle, out)

    monkeypatch.setenv("SMPLERX_CACHE", str(tmp_path))
    monkeypatch.setattr("smplerx_ros.backbones.smpler_x.convert.convert", copy_instead)
    for _ in range(2):
        smplerx_ros.load_model("s32", s32_checkpoint, runtime="onnx")
    assert calls == [s32_checkpoint]
    assert len(list((tmp_path / "bundles").iterdir())) == 1


@pytest.mark.parametrize(
    ("crops", "message"),
    [
        (np.zeros((256, 192, 3), np.uint8), "shape"),
        (np.zeros((1, 192, 256, 3), np.uint8), "shape"),
        (np.zeros((1, 256, 192, 4), np.uint8), "shape"),
        (np.zeros((1, 256, 192, 3), np.float64), "float64"),
        ([[1]], "shape"),
    ],
)
def test_crops_of_another_kind(s32_bundle: Path, crops: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        smplerx_ros.load_model("s32", s32_bundle).predict(crops)


def test_no_crops_give_no_people(s32_bundle: Path) -> None:
    answer = smplerx_ros.load_model("s32", s32_bundle).predict(np.zeros((0, 256, 192, 3), np.uint8))
    assert answer.body_pose.shape == (0, 63)
    assert answer.params.betas.shape == (0, 10)


class Accelerator:
    """Remembers the sizes of its batches."""

    provider = "CUDAExecutionProvider"

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        image = inputs["image"]
        self.sizes.append(len(image))
        shapes = {"pose_6d": (53, 6), "betas": (10,), "expression": (10,), "camera": (3,)}
        return {name: image[:, :1, :1, :1].reshape(-1, *[1] * len(s)) + np.ones(s) for name, s in shapes.items()}


def test_accelerators_see_few_batch_sizes() -> None:
    network = Accelerator()
    model = Model(BACKBONES["s32"], network, "onnx", "fp32")
    crops = np.arange(37, dtype=np.float32)[:, None, None, None] * np.ones((1, 256, 192, 3), np.float32)
    betas = model.predict(crops).betas
    np.testing.assert_array_equal(betas[:, 0], np.arange(37) + 1)
    assert network.sizes == [16, 16, 8]
    assert [padded(n) for n in (1, 2, 3, 5, 9, 16)] == [1, 2, 4, 8, 16, 16]
