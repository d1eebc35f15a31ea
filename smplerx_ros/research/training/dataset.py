"""HumanData as samples of crops and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.backbones.smpler_x.prediction import ROTATIONS
from smplerx_ros.body.model import BodyModel
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH
from smplerx_ros.geometry.crops import crop_box
from smplerx_ros.research.evaluation.humandata import HumanData, Keypoints, read_humandata
from smplerx_ros.types import PARAM_SIZES, SmplxParams

from .augmentation import Augmentation
from .sampling import Key
from .targets import BODY, FACE, LEFT_HAND, NUM_JOINTS_137, RIGHT_HAND, Annotation, targets

# HumanData's boxes are padded by 1.2 already (SMPLer-X's own factor for them).
BOX_RATIO = 1.2 * 0.833
LEVELS = 255  # a picture's brightest grey level
_Plain = tuple[NDArray[np.uint8], dict[str, NDArray[Any]]]  # grey levels (3, 256, 192) and targets of a crop
_PART_BOXES = ("left_hand_boxes", "right_hand_boxes", "face_boxes")
# Parameters without which a part of the body model's joints means nothing.
_POSE = ("global_orient", "body_pose")
_FIT_NEEDS = (
    (BODY, _POSE),
    (LEFT_HAND, (*_POSE, "left_hand_pose")),
    (RIGHT_HAND, (*_POSE, "right_hand_pose")),
    (FACE, (*_POSE, "jaw_pose", "expression")),
)


class PersonDataset:
    """The people of one HumanData file whose boxes can be cropped; every `interval`-th of them."""

    def __init__(self, annotations: Path, images: Path, body: BodyModel, interval: int = 1) -> None:
        data = read_humandata(annotations)
        rows = np.flatnonzero(_has_box(data.boxes) & (np.arange(len(data)) % interval == 0))
        if not len(rows):
            raise InputError(f"{annotations}: nobody with a box in it")
        self.images = images
        self.data = _with_joints_137(data.select(rows), annotations)
        self.path = annotations
        self._params, self._known = _bodies(self.data)
        self._body = body

    def __len__(self) -> int:
        return len(self.data)

    def crop(self, row: int, augmentation: Augmentation) -> tuple[FloatArray, dict[str, NDArray[Any]]]:
        """Image `(3, 256, 192) float32` RGB 0..1, and targets. InputError names a picture that cannot be read."""
        path = self.images / self.data.image_paths[row]
        image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None:
            raise InputError(f"{path}: no picture that can be read; {self.path} names it")
        annotation = self.annotation(row, image.shape[1], image.shape[0])
        matrix = augmentation.crop_from_image(annotation.region)
        warped = cv2.warpAffine(image, matrix, (CROP_WIDTH, CROP_HEIGHT), flags=cv2.INTER_LINEAR)
        colored = (warped[:, :, ::-1] * augmentation.color).clip(0, LEVELS) / LEVELS
        return colored.transpose(2, 0, 1).astype(np.float32), targets(annotation, augmentation)

    def params(self, rows: Sequence[int]) -> SmplxParams:
        """Bodies of some of the people; what is not annotated is zero."""
        index = list(rows)
        return replace(self._params, **{name: getattr(self._params, name)[index] for name in PARAM_SIZES})

    def annotation(self, row: int, width: int, height: int) -> Annotation:
        """One person, in an image of `width` x `height` pixels."""
        data, params = self.data, self._params[row]
        known = {name: bool(rows[row]) for name, rows in self._known.items()}
        points2d, points2d_valid = _points(data.keypoints2d, row, 2)
        points3d, points3d_valid = _points(data.keypoints3d, row, 3)
        boxes, boxes_valid = self._part_boxes(row)
        fit_valid = np.zeros(NUM_JOINTS_137, bool)
        for part, needed in _FIT_NEEDS:
            fit_valid[part] = all(known[name] for name in needed)
        return Annotation(
            region=self._region(row, width, height),
            points2d=points2d,
            points2d_valid=points2d_valid,
            points3d=points3d,
            points3d_valid=points3d_valid,
            rotvecs=np.concatenate([getattr(params, name).reshape(-1, 3) for name in ROTATIONS]),
            rotvecs_valid=np.concatenate([[known[name]] * (s.stop - s.start) for name, s in ROTATIONS.items()]),
            fit3d=self._body.landmarks137(params)[0],
            fit3d_valid=fit_valid,
            betas=params.betas,
            betas_valid=known["betas"],
            expression=params.expression,
            expression_valid=known["expression"],
            part_boxes=boxes,
            part_boxes_valid=boxes_valid,
        )

    def _region(self, row: int, width: int, height: int) -> FloatArray:
        x, y, w, h = self.data.boxes[row, :4]
        region = crop_box(Box(x, y, x + w, y + h), width, height, BOX_RATIO)
        if region is None:
            raise InputError(
                f"{self.path}: the box of person {row} ({x:g}, {y:g}, {w:g}, {h:g}) is outside its picture"
            )
        return region

    def _part_boxes(self, row: int) -> tuple[FloatArray, NDArray[np.bool_]]:
        rows = [getattr(self.data, name) for name in _PART_BOXES]
        boxes = np.stack([np.zeros(5) if value is None else value[row] for value in rows])
        valid = _has_box(boxes)
        return np.where(valid[:, None], boxes[:, :4], 0.0), valid


class TrainingSamples:
    """Sets as one map-style data set for torch's DataLoader: key to image and targets, random but reproducible.

    `keep`: what is not augmented is read once, and stays in the memory of the process that loads it.
    """

    def __init__(self, sets: Sequence[PersonDataset], seed: int, augment: bool = True, keep: bool = False) -> None:
        self.sets = tuple(sets)
        self._seed = seed
        self._augment = augment
        self._keep = keep
        self._kept: dict[tuple[int, int], _Plain] = {}

    def __getitem__(self, key: Key) -> dict[str, NDArray[Any]]:
        epoch, place, number, row = key
        if not self._augment:
            levels, found = self._plain(number, row)
            return {"image": (levels / LEVELS).astype(np.float32)} | found
        rng = np.random.default_rng([self._seed, 3, epoch, place])
        image, found = self.sets[number].crop(row, Augmentation.random(rng))
        return {"image": image} | found

    def _plain(self, number: int, row: int) -> _Plain:
        if (number, row) in self._kept:
            return self._kept[number, row]
        image, found = self.sets[number].crop(row, Augmentation())
        plain = (image * LEVELS).round().astype(np.uint8), found
        if self._keep:
            self._kept[number, row] = plain
        return plain


def _bodies(data: HumanData) -> tuple[SmplxParams, dict[str, NDArray[np.bool_]]]:
    """Bodies of all people, and whose parameters are known, `(N,)` by name; what is not, or is no number, is zero."""
    posed = all(name in data.params for name in _POSE)
    params = data.smplx_params() if posed else SmplxParams.rest(len(data))
    given = {*data.params, *(["betas"] if "betas_neutral" in data.params else [])} if posed else set()
    known = {name: np.isfinite(getattr(params, name)).all(axis=1) & (name in given) for name in PARAM_SIZES}
    filled: dict[str, Any] = {name: np.where(rows[:, None], getattr(params, name), 0) for name, rows in known.items()}
    known["betas"] &= filled["betas"].any(axis=1)  # zero are those of failed fits and of other families
    known["expression"] &= data.family == "smplx"
    return replace(params, **filled), known


def _with_joints_137(data: HumanData, path: Path) -> HumanData:
    """With key points as SMPLer-X's set. Raises InputError that names the file for a list that cannot be mapped."""
    lists = {"keypoints2d": data.keypoints2d, "keypoints3d": data.keypoints3d}
    try:
        mapped: dict[str, Any] = {name: found.joints_137() for name, found in lists.items() if found is not None}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return replace(data, **mapped)


def _has_box(boxes: FloatArray) -> NDArray[np.bool_]:
    """Which of boxes `(N, 5)` are there and have an extent."""
    return np.asarray((boxes[:, 4] > 0) & (boxes[:, 2:4] > 0).all(axis=1) & np.isfinite(boxes).all(axis=1))


def _points(keypoints: Keypoints | None, row: int, dimensions: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    if keypoints is None:
        return np.zeros((NUM_JOINTS_137, dimensions)), np.zeros(NUM_JOINTS_137, bool)
    person = keypoints[row : row + 1]
    valid = person.valid[0]
    return np.where(valid[:, None], person.points[0], 0.0), valid
