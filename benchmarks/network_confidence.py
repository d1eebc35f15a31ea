"""Image errors of a network's joints, by the confidence of their heat maps.

    python benchmarks/network_confidence.py BACKBONE WEIGHTS DATA

DATA is a folder with humandata.npz and its images, e.g. written by `python -m smplerx_ros synthesize`. For 25 joints of
the body and 20 of each hand, both the maximum of the heat map and the joint of the estimated body are compared with the
ground truth.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import smplerx_ros
from smplerx_ros.backbones.registry import PATCH
from smplerx_ros.backbones.smpler_x.confidence import NUM_POINTS, point_confidence
from smplerx_ros.backbones.smpler_x.model import Model
from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.constants import CROP_WIDTH
from smplerx_ros.geometry.crops import crop_box, virtual_camera
from smplerx_ros.research.evaluation.calibration import errors_by_confidence
from smplerx_ros.research.evaluation.humandata import HumanData, read_humandata
from smplerx_ros.research.synthetic.generate import ANNOTATIONS, BOX_PADDING

Array = NDArray[Any]

EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PARTS = {"body": slice(25), "hands": slice(25, NUM_POINTS)}


def measure(model: Model, body: BodyModel, data: HumanData, folder: Path) -> dict[str, Array]:
    """Run the network on all people.

    Returns:
        `confidence (N, 65)`, and the errors of heat maps (`heatmaps`) and of the estimated body (`joints`), both
        `(N, 65)` in units of the height of the person's box.
    """
    assert data.keypoints2d is not None
    points = data.keypoints2d.joints_137()
    rows: dict[str, list[Array]] = {"confidence": [], "heatmaps": [], "joints": []}
    for row in tqdm(range(len(data)), unit="person"):
        image = cv2.imread(str(folder / data.image_paths[row]))[:, :, ::-1]
        x, y, width, height = data.boxes[row, :4].tolist()
        ratio = model.backbone.box_ratio / BOX_PADDING
        region = crop_box(Box(x, y, x + width, y + height), image.shape[1], image.shape[0], ratio)
        if region is None:
            continue
        prediction = model.predict_regions([np.ascontiguousarray(image)], [region])
        if prediction.joint_img is None or prediction.joint_spread is None:
            raise SystemExit(f"{model.backbone.name}: no heat maps, or an old bundle; convert it again")
        camera = virtual_camera(region)
        joints = body.landmarks137(prediction.params)[0, :NUM_POINTS]
        projected = joints[:, :2] / joints[:, 2:] * camera[[0, 1], [0, 1]] + camera[:2, 2]
        peaks = region[:2] + prediction.joint_img[0, :, :2] * PATCH * region[2] / CROP_WIDTH
        truth = np.where(points.valid[row, :NUM_POINTS, None], points.points[row, :NUM_POINTS], np.nan)
        rows["confidence"].append(point_confidence(prediction.joint_spread)[0])
        for name, found in (("heatmaps", peaks), ("joints", projected)):
            rows[name].append(np.linalg.norm(found - truth, axis=1) / (height / BOX_PADDING))
    return {name: np.stack(values) for name, values in rows.items()}


def table(found: dict[str, Array]) -> str:
    """Format medians and 90th percentiles, percent of the person's height in the image, with the number of joints."""
    bins = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    lines = [f"| | {' | '.join(bins)} |", "|---|" + "--:|" * len(bins)]
    for part, columns in PARTS.items():
        for name, what in (("heatmaps", "heat map"), ("joints", "estimated body")):
            rows = errors_by_confidence(found["confidence"][:, columns], found[name][:, columns], EDGES)
            cells = [f"{100 * median:.1f}, {100 * high:.1f} ({count})" if count else "" for count, median, high in rows]
            lines.append(f"| {part}, {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone")
    parser.add_argument("weights", help="bundle or checkpoint")
    parser.add_argument("data", type=Path)
    parser.add_argument("--runtime", default="onnx", choices=("onnx", "torch"))
    arguments = parser.parse_args()
    model = smplerx_ros.load_model(arguments.backbone, arguments.weights, runtime=arguments.runtime, threads=1)
    data = read_humandata(arguments.data / ANNOTATIONS)
    print(table(measure(model, load_body(), data, arguments.data)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
