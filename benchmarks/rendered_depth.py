"""Errors of `lite` on rendered people with and without a rendered depth image, and in units of its covariance.

    python benchmarks/rendered_depth.py [--people 80] [--seed 1]

The images are those of benchmarks/rendered_lite.py.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rendered_lite import Scene, random_scene
from tqdm import tqdm

from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.research.evaluation.calibration import rotation_error
from smplerx_ros.types import DistanceSource, Frame, Person
from smplerx_ros.visualization.rasterizer import rasterize

Array = NDArray[np.float64]

WALL = 2.0  # metres behind the pelvis


def depth_of(scene: Scene, body: BodyModel) -> NDArray[np.float32]:
    """Render the depth image of a perfect sensor."""
    assert scene.frame.camera is not None
    depth = rasterize(body.vertices(scene.params)[0], body.faces, scene.frame.camera).depth_image()
    return np.where(np.isfinite(depth), depth, scene.joints[0, 2] + WALL).astype(np.float32)


def nearest(estimator: Estimator, frame: Frame, scene: Scene) -> Person | None:
    """Return the estimated person nearest to the ground truth."""
    estimator.reset()
    people = estimator.estimate(frame)
    return min(people, key=lambda p: float(np.linalg.norm(p.joints[0] - scene.joints[0])), default=None)


def errors(person: Person, scene: Scene) -> list[float]:
    """Return the errors of distance (relative), body joints (m), pelvis along and across the ray (sigmas), rotation."""
    true, found = scene.joints[0], person.joints[0]
    ray = true / np.linalg.norm(true)
    covariance = person.pose_covariance[:3, :3]
    along = float((found - true) @ ray)
    across = np.linalg.norm(found - true - along * ray) / np.sqrt(2 * np.linalg.eigvalsh(covariance)[0])
    rotation = rotation_error(person.params.global_orient, scene.params.global_orient)
    joints = np.linalg.norm(person.joints[:22] - scene.joints[:22], axis=1).mean()
    distance = np.linalg.norm(found) / np.linalg.norm(true) - 1
    return [abs(distance), joints, along / np.sqrt(ray @ covariance @ ray), across, *rotation]


def summary(rows: list[list[float]]) -> str:
    """Summarize the rows of `errors`."""
    distance, joints, along, across, *rotation = np.array(rows).T
    rms = [float(np.sqrt(np.mean(values**2))) for values in (along, across, *rotation)]
    return (
        f"{len(rows)} people: distance error {100 * distance.mean():.1f} % on average, {100 * distance.max():.1f} % "
        f"at most; body joints {1e3 * joints.mean():.0f} mm; RMS error of the pelvis in its standard deviations: along "
        f"the ray {rms[0]:.2f}, across {rms[1]:.2f}; RMS rotation error of the pelvis about x, y, z: "
        f"{rms[2]:.2f}, {rms[3]:.2f}, {rms[4]:.2f} rad"
    )


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    body, rng = load_body(), np.random.default_rng(arguments.seed)
    without, with_depth, used = [], [], 0
    with Estimator.from_config({"threads": 1}) as estimator:
        for _ in tqdm(range(arguments.people), unit="image"):
            scene = random_scene(rng, body)
            alone = nearest(estimator, scene.frame, scene)
            measured = nearest(estimator, replace(scene.frame, depth=depth_of(scene, body)), scene)
            if alone is not None and measured is not None:
                without.append(errors(alone, scene))
                with_depth.append(errors(measured, scene))
                used += bool(measured.distance_source is DistanceSource.DEPTH)
    print(f"without depth: {summary(without)}")
    print(f"with depth, used for {used}: {summary(with_depth)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
