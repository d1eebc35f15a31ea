#!/usr/bin/env python3
"""CPU time of projection and undistortion (with limits of the lens model), compared with OpenCV (without limits).

python benchmarks/lenses.py [--points 300] [--runs 50]
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np

from smplerx_ros.geometry.camera import Camera
from smplerx_ros.tools.bench.timing import side_by_side

K = np.array([[400.0, 0, 319.5], [0, 400, 239.5], [0, 0, 1]])
LENSES = {
    "plumb_bob": [-0.3, 0.1, 0.001, 0.001, 0.01],
    "rational_polynomial": [0.1, 0.05, 0.001, 0.001, 0.01, 0.1, 0.01, 0.01],
    "equidistant": [0.01, 0.01, 0.01, 0.01],
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    points = np.random.default_rng(0).uniform([-0.7, -0.5, 1], [0.7, 0.5, 1], (arguments.points, 3))
    zero = np.zeros(3)
    cv2.setNumThreads(1)
    for model, d in LENSES.items():
        camera = Camera(640, 480, K, np.array(d), model)
        pixels = camera.project(points)
        module = cv2.fisheye if model == "equidistant" else cv2
        there, here = points[:, None], pixels[:, None]
        times = side_by_side(
            {
                "project": lambda camera=camera: camera.project(points),
                "OpenCV's projectPoints": lambda m=module, c=camera, p=there: m.projectPoints(p, zero, zero, c.k, c.d),
                "normalize": lambda camera=camera, pixels=pixels: camera.normalize(pixels),
                "OpenCV's undistortPoints": lambda m=module, c=camera, p=here: m.undistortPoints(p, c.k, c.d),
            },
            runs=arguments.runs,
            cpu_time=True,
        )
        for name, measured in times.items():
            print(f"{model:20} {name:25} median {measured.median:7.3f}  p95 {measured.p95:7.3f}")


if __name__ == "__main__":
    main()
