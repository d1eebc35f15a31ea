#!/usr/bin/env python3
"""CPU time of cropping people: by OpenCV, and by the ONNX network that crops them on GPUs (run on the CPU here).

python benchmarks/crops.py [--people 4] [--runs 50]
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import onnxruntime

from smplerx_ros.geometry.crops import crop_batch
from smplerx_ros.runtime.crops import Cropper
from smplerx_ros.tools.bench.timing import side_by_side


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    regions = [np.array([300 * n, 100, 450, 600], np.float32) for n in range(arguments.people)]
    images = [image] * len(regions)
    crops = Cropper("cpu").crops(images, regions)
    memory = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(crops.shape), np.float32, "cpu", 0)
    times = side_by_side(
        {"OpenCV": lambda: crop_batch(images, regions), "network": lambda: crops.write(memory)},
        runs=arguments.runs,
        cpu_time=True,
    )
    print(f"{arguments.people} people of 600 pixels at 1920x1080")
    for name, measured in times.items():
        print(f"{name:8} median {measured.median:6.2f}  p95 {measured.p95:6.2f}")


if __name__ == "__main__":
    main()
