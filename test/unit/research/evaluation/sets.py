"""Small sets with known truth, and predictors that are perfect or wrong in a known way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smplerx_ros.body.model import BodyModel
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.constants import CROP_WIDTH
from smplerx_ros.geometry.crops import CROP_FOCAL, crop_box, virtual_camera
from smplerx_ros.research.evaluation.humandata import HumanData, Keypoints, write_humandata
from smplerx_ros.research.evaluation.predictors import Prediction, Query
from smplerx_ros.types import PARAM_SIZES, SmplxParams

WIDTH, HEIGHT = 320, 240
COUNT = 4
BOX = np.array([110.0, 40.0, 90.0, 160.0, 1.0])  # x, y, width, height, confidence


def random_bodies(count: int, seed: int = 0) -> SmplxParams:
    """Moderate random poses and shapes, upright in the optical frame."""
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {
        name: (0.2 * rng.normal(size=(count, size))).astype(np.float32) for name, size in PARAM_SIZES.items()
    }
    values["global_orient"] += np.array([np.pi, 0, 0], np.float32)
    values["leye_pose"] *= 0
    values["reye_pose"] *= 0
    return SmplxParams(**values)


def write_set(
    folder: Path, body: BodyModel, params: SmplxParams, *, ratio: float, per_image: int = 1, **changes: Any
) -> HumanData:
    """People at the middle of the virtual camera of their box, two metres from the edge of what it sees.

    Writes images, each with `per_image` people beside each other, and `humandata.npz`.
    """
    count = len(params.betas)
    boxes = np.tile(BOX, (count, 1))
    boxes[:, 0] += 100 * (np.arange(count) % per_image - (per_image - 1) / 2)
    names = [f"{i // per_image:02d}_img.png" for i in range(count)]
    placed, pixels = _placed(body, params, boxes, ratio)
    keypoints = Keypoints(pixels.astype(np.float32), np.ones(pixels.shape[:2], np.float32), np.ones(144, bool))
    data = HumanData(
        image_paths=tuple(names),
        boxes=boxes.astype(np.float32),
        params={name: getattr(placed, name) for name in PARAM_SIZES},
        keypoints2d=keypoints,
        image_sizes=np.full((count, 2), (HEIGHT, WIDTH)),
    )
    data = replace(data, **changes)
    for i, name in enumerate(sorted(set(names))):
        cv2.imwrite(str(folder / name), np.full((HEIGHT, WIDTH, 3), i, np.uint8))
    write_humandata(folder / "humandata.npz", data)
    return data


def _placed(body: BodyModel, params: SmplxParams, boxes: np.ndarray, ratio: float) -> tuple[SmplxParams, np.ndarray]:
    transl, cameras = np.zeros((len(boxes), 3), np.float32), []
    for row, (x, y, width, height, _) in zip(transl, boxes, strict=True):
        region = crop_box(Box(x, y, x + width, y + height), WIDTH, HEIGHT, ratio)
        assert region is not None
        row[2] = CROP_FOCAL / CROP_WIDTH * 2.2  # 2.2 m fill the width of the crop
        cameras.append(virtual_camera(region))
    placed = replace(params, transl=transl)
    points = body.landmarks144(placed)
    answers = [Prediction(placed[i], camera) for i, camera in enumerate(cameras)]
    return placed, np.stack([answer.pixels(own) for answer, own in zip(answers, points, strict=True)])


@dataclass
class Oracle:
    """Answers the truth of the person whose box it is given, each moved by `step` metres from one joint's place."""

    truth: HumanData
    params: SmplxParams
    detection_ratio: float = 1.25
    stop_after: int | None = None  # raises KeyboardInterrupt then
    asked: int = 0

    @property
    def metadata(self) -> dict[str, Any]:
        return {"backbone": "oracle", "runtime": "none", "weights": ""}

    def predict(self, queries: Sequence[Query]) -> list[Prediction | None]:
        if self.stop_after is not None and self.asked >= self.stop_after:
            raise KeyboardInterrupt
        self.asked += len(queries)
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction | None:
        number = int(query.image[0, 0, 0])  # the image's grey
        names = sorted(set(self.truth.image_paths))
        corners = self.truth.boxes[:, :2]
        distances = np.linalg.norm(corners - [query.box.x0, query.box.y0], axis=1)
        distances[[path != names[number] for path in self.truth.image_paths]] = np.inf
        row = int(np.argmin(distances))
        region = crop_box(query.box, WIDTH, HEIGHT, query.ratio)
        return None if region is None else Prediction(self.params[row], virtual_camera(region))
