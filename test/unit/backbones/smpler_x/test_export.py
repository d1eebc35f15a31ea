"""Exported files of both families, in small: any batch, both precisions, equal to torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.backbones.smpler_x.self_check import check, check_images
from smplerx_ros.runtime.onnx import OnnxNetwork

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("onnxscript")

from smplerx_ros.backbones.smpler_x.export import export  # noqa: E402
from smplerx_ros.backbones.smpler_x.network import (  # noqa: E402
    CropNetwork,
    build_network,
    load_native,
    reduce_precision,
)
from smplerx_ros.backbones.smpler_x.torch_runtime import TorchNetwork  # noqa: E402
from support.small_networks import build_small, export_small, small  # noqa: E402

CASES = [
    pytest.param(name, precision, marks=[pytest.mark.slow] if precision == "fp16" else [])
    for name in ("s32", "smplest_x_h")
    for precision in ("fp32", "fp16")  # fp16 for each change: test_bundle.py
]


@pytest.mark.parametrize(("name", "precision"), CASES)
def test_onnx_equals_torch(name: str, precision: str, tmp_path: Path, once: Any) -> None:
    backbone, network = small(name), build_small(name)
    images = check_images()
    with torch.inference_mode():
        outputs = CropNetwork(network)(torch.from_numpy(images))
    reference = {key: value.numpy() for key, value in outputs.items()}
    state = {key: value.clone() for key, value in network.state_dict().items()}
    if precision == "fp32":
        directory = once(f"{name}_small", lambda path: export_small(name, path))
    else:
        directory = tmp_path
        reduce_precision(network, precision)
        export(network, reference, "onnx", directory)
    assert sorted(file.name for file in directory.iterdir()) == ["model.onnx", "model.onnx.data"]
    exported = OnnxNetwork(directory / "model.onnx", threads=1)
    assert set(check(exported, reference, precision)) >= {"rotation", "camera"}
    again = TorchNetwork(load_native(backbone, state), precision=precision)
    assert set(check(again, reference, precision)) >= {"rotation", "camera"}
    five = exported.run({"image": np.concatenate([images, images[:1]])})["pose_6d"]
    np.testing.assert_allclose(five[4], five[0], atol=1e-5 if precision == "fp32" else 1e-2)


@pytest.mark.parametrize(("precision", "warned"), [("fp16", True), ("bf16", False), ("fp32", False)])
def test_fp16_on_a_cpu_is_warned_of(precision: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    network = build_network(replace(BACKBONES["smplest_x_h"], embed_dim=48, depth=1, heads=3)).eval()
    TorchNetwork(network, device="cpu", precision=precision)
    assert ("torch computes fp16 on CPUs many times slower" in caplog.text) == warned


def test_unknown_device_names_the_choice() -> None:
    from smplerx_ros.backbones.smpler_x.torch_runtime import select_device
    from smplerx_ros.errors import ConfigError

    assert select_device("auto").type in ("cpu", "cuda")
    for name in ("quantum", "cuda:99"):
        with pytest.raises(ConfigError, match=f"device '{name}'"):
            select_device(name)
