"""Networks of the published families, small enough to be exported in a test. Needs torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from smplerx_ros.backbones.registry import BACKBONES, BackboneSpec


def small(name: str) -> BackboneSpec:
    return replace(BACKBONES[name], embed_dim=96, depth=2, heads=3)


def build_small(name: str) -> Any:
    """The network of `small(name)`, always with the same weights."""
    import torch

    from smplerx_ros.backbones.smpler_x.network import build_network

    torch.manual_seed(1)
    return build_network(small(name)).eval()


def export_small(name: str, directory: Path) -> None:
    """Write `build_small(name)` for ONNX Runtime, in single precision, into the new directory."""
    import torch

    from smplerx_ros.backbones.smpler_x.export import export
    from smplerx_ros.backbones.smpler_x.network import CropNetwork

    network = build_small(name)
    with torch.inference_mode():
        names = CropNetwork(network)(torch.zeros(1, 256, 192, 3))
    directory.mkdir(exist_ok=True)
    export(network, names, "onnx", directory)
