"""Training data: crops and targets from HumanData files."""

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

BOX_RATIO = 1.2 * 0.833  # crop to box, as in SMPLer-X: HumanData's boxes already include a padding of 1.2
MAX_LEVEL = 255  # of 8-bit images
_Cached = tuple[NDArray[np.uint8], dict[str, NDArray[Any]]]  # (3, 256, 192) grey levels and targets of a crop
_PART_BOXES = ("left_hand_boxes", "right_hand_boxes", "face_boxes")
# Parameters that must be annotated for the body model's joints of each part to be valid.
_POSE = ("global_orient", "body_pose")
_FIT_REQUIRES = (
    (BODY, _POSE),
    (LEFT_HAND, (*_POSE, "left_hand_pose")),
    (RIGHT_HAND, (*_POSE, "right_hand_pose")),
    (FACE, (*_POSE, "jaw_pose", "expression")),
)


class PersonDataset:
    """The people with a box in one HumanData file.

    Args:
        annotations: The HumanData file.
        images: Folder to which its image paths are relative.
        body: Neutral body model.
        interval: Use every n-th person.

    Raises:
        InputError: If the file cannot be read, or nobody in it has a box.
    """

    def __init__(self, annotations: Path, images: Path, body: BodyModel, interval: int = 1) -> None:
        data = read_humandata(annotations)
        rows = np.flatnonzero(_has_box(data.boxes) & (np.arange(len(data)) % interval == 0))
        if not len(rows):
            raise InputError(f"{annotations}: nobody with a box in it")
        self.images = images
        self.data = _with_joints_137(data.select(rows), annotations)
        self.path = annotations
        self._params, self._valid = _annotated_params(self.data)
        self._body = body

    def __len__(self) -> int:
        return len(self.data)

    def crop(self, row: int, augmentation: Augmentation) -> tuple[FloatArray, dict[str, NDArray[Any]]]:
        """Return the augmented crop of a person and its targets.

        Args:
            row: The person.
            augmentation: What to apply.

        Returns:
            Image `(3, 256, 192) float32` RGB 0..1, and the targets (see `targets.targets`).

        Raises:
            InputError: If the image cannot be read, or the box lies outside of it.
        """
        path = self.images / self.data.image_paths[row]
        image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None:
            raise InputError(f"{path}: no readable image; {self.path} refers to it")
        annotation = self.annotation(row, image.shape[1], image.shape[0])
        matrix = augmentation.crop_from_image(annotation.region)
        warped = cv2.warpAffine(image, matrix, (CROP_WIDTH, CROP_HEIGHT), flags=cv2.INTER_LINEAR)
        colored = (warped[:, :, ::-1] * augmentation.color).clip(0, MAX_LEVEL) / MAX_LEVEL
        return colored.transpose(2, 0, 1).astype(np.float32), targets(annotation, augmentation)

    def params(self, rows: Sequence[int]) -> SmplxParams:
        """Return the annotated parameters of people; those not annotated are zero."""
        index = list(rows)
        return replace(self._params, **{name: getattr(self._params, name)[index] for name in PARAM_SIZES})

    def annotation(self, row: int, width: int, height: int) -> Annotation:
        """Return the annotation of a person in an image of `width` x `height` pixels."""
        data, params = self.data, self._params[row]
        valid = {name: bool(rows[row]) for name, rows in self._valid.items()}
        points2d, points2d_valid = _points(data.keypoints2d, row, 2)
        points3d, points3d_valid = _points(data.keypoints3d, row, 3)
        boxes, boxes_valid = self._part_boxes(row)
        fit_valid = np.zeros(NUM_JOINTS_137, bool)
        for part, required in _FIT_REQUIRES:
            fit_valid[part] = all(valid[name] for name in required)
        return Annotation(
            region=self._region(row, width, height),
            points2d=points2d,
            points2d_valid=points2d_valid,
            points3d=points3d,
            points3d_valid=points3d_valid,
            rotvecs=np.concatenate([getattr(params, name).reshape(-1, 3) for name in ROTATIONS]),
            rotvecs_valid=np.concatenate([[valid[name]] * (s.stop - s.start) for name, s in ROTATIONS.items()]),
            fit3d=self._body.landmarks137(params)[0],
            fit3d_valid=fit_valid,
            betas=params.betas,
            betas_valid=valid["betas"],
            expression=params.expression,
            expression_valid=valid["expression"],
            part_boxes=boxes,
            part_boxes_valid=boxes_valid,
        )

    def _region(self, row: int, width: int, height: int) -> FloatArray:
        x, y, w, h = self.data.boxes[row, :4]
        region = crop_box(Box(x, y, x + w, y + h), width, height, BOX_RATIO)
        if region is None:
            raise InputError(f"{self.path}: the box of person {row} ({x:g}, {y:g}, {w:g}, {h:g}) is outside its image")
        return region

    def _part_boxes(self, row: int) -> tuple[FloatArray, NDArray[np.bool_]]:
        rows = [getattr(self.data, name) for name in _PART_BOXES]
        boxes = np.stack([np.zeros(5) if value is None else value[row] for value in rows])
        valid = _has_box(boxes)
        return np.where(valid[:, None], boxes[:, :4], 0.0), valid


class TrainingSamples:
    """Map-style data set for torch's DataLoader over several sets of people.

    Maps a key to an image and its targets. Augmentations are a function of seed and key.

    Args:
        sets: The sets that a key's set number refers to.
        seed: Of the augmentation.
        augment: Whether to augment.
        keep: Cache crops in the memory of the loading process (used without augmentation only).
    """

    def __init__(self, sets: Sequence[PersonDataset], seed: int, augment: bool = True, keep: bool = False) -> None:
        self.sets = tuple(sets)
        self._seed = seed
        self._augment = augment
        self._keep = keep
        self._cache: dict[tuple[int, int], _Cached] = {}

    def __getitem__(self, key: Key) -> dict[str, NDArray[Any]]:
        epoch, position, number, row = key
        if not self._augment:
            levels, crop_targets = self._without_augmentation(number, row)
            return {"image": (levels / MAX_LEVEL).astype(np.float32)} | crop_targets
        rng = np.random.default_rng([self._seed, 3, epoch, position])
        image, crop_targets = self.sets[number].crop(row, Augmentation.random(rng))
        return {"image": image} | crop_targets

    def _without_augmentation(self, number: int, row: int) -> _Cached:
        if (number, row) in self._cache:
            return self._cache[number, row]
        image, crop_targets = self.sets[number].crop(row, Augmentation())
        sample = (image * MAX_LEVEL).round().astype(np.uint8), crop_targets
        if self._keep:
            self._cache[number, row] = sample
        return sample


def _annotated_params(data: HumanData) -> tuple[SmplxParams, dict[str, NDArray[np.bool_]]]:
    """Return the parameters of all people, and by name which are valid `(N,)`; missing or non-finite ones are zero."""
    posed = all(name in data.params for name in _POSE)
    params = data.smplx_params() if posed else SmplxParams.rest(len(data))
    given = {*data.params, *(["betas"] if "betas_neutral" in data.params else [])} if posed else set()
    valid = {name: np.isfinite(getattr(params, name)).all(axis=1) & (name in given) for name in PARAM_SIZES}
    filled: dict[str, Any] = {name: np.where(rows[:, None], getattr(params, name), 0) for name, rows in valid.items()}
    valid["betas"] &= filled["betas"].any(axis=1)  # those of failed fits and of other body models are zero
    valid["expression"] &= data.family == "smplx"
    return replace(params, **filled), valid


def _with_joints_137(data: HumanData, path: Path) -> HumanData:
    """Convert the keypoints to SMPLer-X's 137 joints; raises InputError that names the file."""
    lists = {"keypoints2d": data.keypoints2d, "keypoints3d": data.keypoints3d}
    try:
        mapped: dict[str, Any] = {name: found.joints_137() for name, found in lists.items() if found is not None}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return replace(data, **mapped)


def _has_box(boxes: FloatArray) -> NDArray[np.bool_]:
    """Return which of `boxes (N, 5)` are annotated and not empty."""
    return np.asarray((boxes[:, 4] > 0) & (boxes[:, 2:4] > 0).all(axis=1) & np.isfinite(boxes).all(axis=1))


def _points(keypoints: Keypoints | None, row: int, dimensions: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    if keypoints is None:
        return np.zeros((NUM_JOINTS_137, dimensions)), np.zeros(NUM_JOINTS_137, bool)
    person = keypoints[row : row + 1]
    valid = person.valid[0]
    return np.where(valid[:, None], person.points[0], 0.0), valid
