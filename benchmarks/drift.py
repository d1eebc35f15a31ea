#!/usr/bin/env python3
"""What a lower precision costs: degrees and millimetres between two bundles of one network, on the demo clip's people.

python benchmarks/drift.py BUNDLE BUNDLE [--out benchmarks/results]

Every frame of the clip in which the detector finds somebody, each a batch of one. Rotations are those that the network
answers, compared joint by joint; joints are of the body model, from the pelvis on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from people import clip_views

import smplerx_ros
from smplerx_ros.backbones.registry import get_backbone
from smplerx_ros.backbones.smpler_x.bundle import Bundle
from smplerx_ros.backbones.smpler_x.self_check import rotation_angles
from smplerx_ros.body import load_body
from smplerx_ros.geometry.crops import crop_batch, crop_box
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.types import SmplxParams

PARTS = {
    "root": ("global_orient",),
    "body": ("body_pose",),
    "hands": ("left_hand_pose", "right_hand_pose"),
    "jaw": ("jaw_pose",),
}
PARTS["all"] = tuple(name for names in PARTS.values() for name in names)
BODY_JOINTS = 22


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs=2, type=Path, metavar="BUNDLE")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    first, second = (Bundle.load(folder, verify=False) for folder in arguments.bundles)
    crops = clip_crops(get_backbone(first.backbone).box_ratio)
    one, other = (answers(bundle, crops) for bundle in (first, second))
    rows = [(part, degrees(one, other, names)) for part, names in PARTS.items()]
    moved = millimetres(one, other)
    rows += [("body joints, mm", moved[:, :BODY_JOINTS]), ("all joints, mm", moved)]
    figures = {name: {"mean": float(values.mean()), "p95": float(np.percentile(values, 95))} for name, values in rows}
    text = f"{first.backbone}: {second.precision} beside {first.precision}, {len(crops)} crops\n\n"
    text += "| degrees, or as said | mean | p95 |\n|---|--:|--:|\n"
    text += "\n".join(f"| {name} | {row['mean']:.2f} | {row['p95']:.2f} |" for name, row in figures.items())
    print(text)
    if arguments.out:
        name = f"drift_{first.backbone}_{second.precision}"
        write_report(arguments.out, name, {"crops": len(crops), "rows": figures}, text, command_line(), machine())


def clip_crops(box_ratio: float) -> NDArray[np.floating]:
    """`(N, 256, 192, 3)`: what the network is shown."""
    images, regions = [], []
    for frame, box in clip_views():
        height, width = frame.image.shape[:2]
        region = crop_box(box, width, height, box_ratio)
        if region is not None:
            images.append(frame.image)
            regions.append(region)
    return crop_batch(images, regions)


def answers(bundle: Bundle, crops: NDArray[np.floating]) -> SmplxParams:
    """Parameters of each crop."""
    model = smplerx_ros.load_model(bundle.backbone, bundle.directory, runtime=bundle.runtime)
    return SmplxParams.stack([model.predict(crop[None]).params[0] for crop in crops])


def degrees(one: SmplxParams, other: SmplxParams, names: tuple[str, ...]) -> NDArray[np.floating]:
    """Angles between the rotations `names`."""
    ours, theirs = (np.concatenate([getattr(params, name).reshape(-1, 3) for name in names]) for params in (one, other))
    return np.degrees(rotation_angles(ours, theirs))


def millimetres(one: SmplxParams, other: SmplxParams) -> NDArray[np.floating]:
    """`(N, 55)`: how far joints are apart, pelvis on pelvis; eyes look ahead."""
    ahead = np.zeros((len(one.transl), 3), np.float32)
    body = load_body()
    places = [body.joints(replace(params, leye_pose=ahead, reye_pose=ahead)) for params in (one, other)]
    ours, theirs = (joints - joints[:, :1] for joints in places)
    return 1e3 * np.linalg.norm(ours - theirs, axis=-1)


if __name__ == "__main__":
    main()
