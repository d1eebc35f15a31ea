#!/usr/bin/env python3
"""Effect of reduced precision: differences in degrees and millimetres between two bundles of a network.

    python benchmarks/drift.py BUNDLE BUNDLE [--out benchmarks/results]

Runs on every frame of the demo clip in which the detector finds a person, in batches of one. Compares the rotations
that the networks predict, joint by joint, and the pelvis-aligned joints of the body model.
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
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs=2, type=Path, metavar="BUNDLE")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    first, second = (Bundle.load(folder, verify=False) for folder in arguments.bundles)
    crops = clip_crops(get_backbone(first.backbone).box_ratio)
    one, other = (predictions(bundle, crops) for bundle in (first, second))
    rows = [(part, degrees(one, other, names)) for part, names in PARTS.items()]
    moved = millimetres(one, other)
    rows += [("body joints, mm", moved[:, :BODY_JOINTS]), ("all joints, mm", moved)]
    figures = {name: {"mean": float(values.mean()), "p95": float(np.percentile(values, 95))} for name, values in rows}
    text = f"{first.backbone}: {second.precision} compared with {first.precision}, {len(crops)} crops\n\n"
    text += "| difference, degrees unless stated | mean | p95 |\n|---|--:|--:|\n"
    text += "\n".join(f"| {name} | {row['mean']:.2f} | {row['p95']:.2f} |" for name, row in figures.items())
    print(text)
    if arguments.out:
        name = f"drift_{first.backbone}_{second.precision}"
        write_report(arguments.out, name, {"crops": len(crops), "rows": figures}, text, command_line(), machine())


def clip_crops(box_ratio: float) -> NDArray[np.floating]:
    """Return the crops `(N, 256, 192, 3)` of the people in the demo clip."""
    images, regions = [], []
    for frame, box in clip_views():
        height, width = frame.image.shape[:2]
        region = crop_box(box, width, height, box_ratio)
        if region is not None:
            images.append(frame.image)
            regions.append(region)
    return crop_batch(images, regions)


def predictions(bundle: Bundle, crops: NDArray[np.floating]) -> SmplxParams:
    """Predict the parameters for each crop."""
    model = smplerx_ros.load_model(bundle.backbone, bundle.directory, runtime=bundle.runtime)
    return SmplxParams.stack([model.predict(crop[None]).params[0] for crop in crops])


def degrees(one: SmplxParams, other: SmplxParams, names: tuple[str, ...]) -> NDArray[np.floating]:
    """Return the angles between the rotations of the parameters `names`."""
    ours, theirs = (np.concatenate([getattr(params, name).reshape(-1, 3) for name in names]) for params in (one, other))
    return np.degrees(rotation_angles(ours, theirs))


def millimetres(one: SmplxParams, other: SmplxParams) -> NDArray[np.floating]:
    """Return the distances `(N, 55)` of pelvis-aligned joints, with eyes at rest."""
    rest = np.zeros((len(one.transl), 3), np.float32)
    body = load_body()
    joints = [body.joints(replace(params, leye_pose=rest, reye_pose=rest)) for params in (one, other)]
    ours, theirs = (each - each[:, :1] for each in joints)
    return 1e3 * np.linalg.norm(ours - theirs, axis=-1)


if __name__ == "__main__":
    main()
