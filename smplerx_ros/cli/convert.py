"""Convert a published checkpoint into a bundle that the node and the library load.

Writes model.onnx with its weights (or model.safetensors) and bundle.json, after comparing the outputs with those of the
torch network; a bundle that differs is refused. Needs torch and timm: pip install 'smplerx_ros[torch]'.
Exit code: 0 done; 2 refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    from smplerx_ros.backbones.registry import BACKBONES
    from smplerx_ros.backbones.smpler_x.bundle import BUNDLE_PRECISIONS, MODEL_FILES

    names = [entry.name for entry in BACKBONES.values() if entry.needs_weights]
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .pth.tar as published, or a state dict")
    parser.add_argument("--out", type=Path, metavar="DIR", help="a new directory [beside the checkpoint]")
    parser.add_argument("--backbone", choices=names, help="expected backbone [as the file says]")
    parser.add_argument(
        "--runtime", choices=list(MODEL_FILES), default="onnx", help="runtime that will load it [%(default)s]"
    )
    parser.add_argument("--precision", choices=BUNDLE_PRECISIONS, default="fp32", help="of the weights [%(default)s]")


def run(arguments: argparse.Namespace) -> int:
    """Convert; returns the exit code. Raises SmplerxError if the checkpoint cannot be converted."""
    from tqdm import tqdm

    from smplerx_ros.backbones.registry import get_backbone
    from smplerx_ros.backbones.smpler_x.convert import STEPS, convert

    checkpoint: Path = arguments.checkpoint
    stem = checkpoint.name.split(".")[0]
    out = arguments.out or checkpoint.with_name(f"{stem}-{arguments.runtime}-{arguments.precision}")
    with tqdm(total=len(STEPS), unit="step", bar_format="{desc:24}|{bar:20}| {n_fmt}/{total_fmt} {elapsed}") as bar:

        def begin(step: str) -> None:
            bar.update(STEPS.index(step) - bar.n)
            bar.set_description_str(step)

        bundle = convert(
            checkpoint,
            out,
            backbone=get_backbone(arguments.backbone) if arguments.backbone else None,
            runtime=arguments.runtime,
            precision=arguments.precision,
            progress=begin,
        )
        bar.update(len(STEPS) - bar.n)
        bar.set_description_str("done")
    differences = ", ".join(f"{name} {value:.1e}" for name, value in bundle.self_check.items())
    print(f"{bundle.directory}: {bundle.backbone}, largest differences to torch in fp32: {differences}")
    print(f"use it with backbone:={bundle.backbone} weights:={bundle.directory.absolute()}")
    return 0
