"""The table of backbones, and the networks' tensors against the published files' names and shapes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from smplerx_ros.backbones.registry import BACKBONES, get_backbone, same_network
from smplerx_ros.errors import ConfigError
from support import parity


def test_choices() -> None:
    assert list(BACKBONES) == ["lite", "s32", "b32", "l32", "h32", "h32*", "smplest_x_h", "tiny"]
    assert not BACKBONES["lite"].needs_weights


def test_unknown_backbone_lists_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"'x32' is unknown.*lite, s32, b32"):
        get_backbone("x32")


def test_facts_that_surprise() -> None:
    assert BACKBONES["s32"].heads == 12  # not the 6 of other small ViTs
    assert BACKBONES["smplest_x_h"].box_ratio == 1.2
    assert {entry.box_ratio for entry in BACKBONES.values() if entry.family == "smpler_x"} == {1.25}


def test_the_release_of_h32_are_one_network() -> None:
    assert same_network(BACKBONES["h32"], BACKBONES["h32*"])
    assert not same_network(BACKBONES["h32"], BACKBONES["smplest_x_h"])


@pytest.mark.parametrize("name", ["s32", "b32", "l32", "h32", "smplest_x_h"])
def test_tensors_are_those_of_the_published_file(name: str) -> None:
    pytest.importorskip("timm")
    from smplerx_ros.backbones.smpler_x.network import published_shapes

    assert published_shapes(BACKBONES[name]) == parity.manifest(name)


def test_importing_the_package_needs_neither_torch_nor_onnx() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'timm', 'onnx', 'onnxscript', 'safetensors'): sys.modules[name] = None\n"
        "import smplerx_ros, smplerx_ros.backbones.registry, smplerx_ros.backbones.smpler_x.bundle\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "smplerx_ros.load_model\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
