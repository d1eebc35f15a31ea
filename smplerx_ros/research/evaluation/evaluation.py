"""The evaluation loop: read images in batches, predict, compute errors, and store the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import RgbImage
from smplerx_ros.body import BodyModel
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.types import SmplxParams, is_finite

from .agora import person_entry, write_submission
from .datasets import LoadedSet
from .evaluators import Evaluator
from .matching import match_people
from .predictors import Prediction, Predictor, Query
from .results import Results, ResultStore, Status, concatenate

BODY_137 = slice(0, 25)  # body joints among the 137; detections are matched by them


class Detector(Protocol):
    """Finds people in images."""

    def detect(self, images: Sequence[RgbImage]) -> list[list[Box]]:
        """Return the boxes in pixels per image."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One evaluation of a predictor on a data set."""

    dataset: LoadedSet
    predictor: Predictor
    evaluator: Evaluator
    body: BodyModel  # neutral
    detector: Detector | None = None  # people are detected, then matched by joints; None: ground-truth boxes
    submission: Path | None = None  # folder of the submission to AGORA's server

    def run(self, store: ResultStore, batch: int, progress: Callable[[int], object]) -> Results:
        """Evaluate all images whose results are not in the store yet.

        Images that cannot be read are recorded as such.

        Args:
            store: Receives the results of each batch.
            batch: Approximate number of people per batch.
            progress: Called with the number of people done: first those in the store, then after each batch.

        Returns:
            All results, including those found in the store.

        Raises:
            InputError: If the ground truth or the store cannot be read.
        """
        parts = store.read()
        done = {int(image) for part in parts for image in part.images}
        progress(sum(len(part.rows) for part in parts))
        for images in self._batches(done, batch):
            part = self._evaluate(images)
            store.write(part)
            parts.append(part)
            progress(len(part.rows))
        return concatenate(parts)

    def _batches(self, done: set[int], size: int) -> Iterator[list[_Scene]]:
        batch: list[_Scene] = []
        for number, rows in enumerate(_rows_by_image(self.dataset)):
            if number in done:
                continue
            batch.append(_Scene(number, rows))
            if sum(len(scene.rows) for scene in batch) >= size:
                yield batch
                batch = []
        if batch:
            yield batch

    def _evaluate(self, scenes: list[_Scene]) -> Results:
        for scene in scenes:
            scene.image = read_image(self.dataset.image_path(scene.rows[0]))
        readable = [scene for scene in scenes if scene.image is not None]
        self._set_boxes(readable)
        queries = [query for scene in readable for query in self._queries(scene)]
        predictions = iter(self.predictor.predict(queries) if queries else [])
        for scene in readable:
            scene.predictions = [None if box is None else next(predictions) for box in scene.boxes]
            self._submit(scene)
        return self._results(scenes)

    def _set_boxes(self, scenes: list[_Scene]) -> None:
        if self.detector is None:
            for scene in scenes:
                scene.boxes = [_box(self.dataset.people.boxes[row]) for row in scene.rows]
            return
        images = [_pixels(scene) for scene in scenes]
        for scene, found in zip(scenes, self.detector.detect(images) if images else [], strict=True):
            scene.boxes = list(found)

    def _queries(self, scene: _Scene) -> list[Query]:
        ratio = self.dataset.spec.box_ratio if self.detector is None else self.predictor.detection_ratio
        image = _pixels(scene)
        camera = self._camera(scene.rows[0], image)
        return [Query(image, box, ratio, camera) for box in scene.boxes if box is not None]

    def _camera(self, row: int, image: RgbImage) -> Camera | None:
        known = self.dataset.people.intrinsics
        if known is None or not np.isfinite(known[row]).all() or (known[row, :2] <= 0).any():
            return None
        fx, fy, cx, cy = (float(value) for value in known[row])
        return Camera(image.shape[1], image.shape[0], np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))

    def _results(self, scenes: list[_Scene]) -> Results:
        lost = Status.NO_BODY if self.detector is None else Status.NOT_DETECTED
        predictions = [prediction for scene in scenes for prediction in self._matched_predictions(scene)]
        part = Results.empty(
            images=np.array([scene.number for scene in scenes], np.int64),
            detections=np.array([scene.num_predictions for scene in scenes], np.int64),
            rows=np.array([row for scene in scenes for row in scene.rows], np.int64),
            status=[Status.NO_IMAGE if scene.image is None else lost for scene in scenes for _ in scene.rows],
        )
        # A non-finite prediction counts as lost; its NaN would be left out of the means and improve them silently.
        finite = [(i, found) for i, found in enumerate(predictions) if found is not None and is_finite(found.params)]
        if not finite:
            return part
        index = np.array([i for i, _ in finite], np.int64)
        params = SmplxParams.stack([prediction.params for _, prediction in finite])
        return part.measured(index, params, self.evaluator.errors(part.rows[index], params))

    def _matched_predictions(self, scene: _Scene) -> list[Prediction | None]:
        """Return the prediction for each annotated person of the image."""
        if self.detector is None and scene.image is not None:
            return scene.predictions
        predictions = [prediction for prediction in scene.predictions if prediction is not None]
        matched: list[Prediction | None] = [None] * len(scene.rows)
        for i, true in self._matches(predictions, scene.rows):
            matched[true] = predictions[i]
        return matched

    def _matches(self, predictions: list[Prediction], rows: list[int]) -> list[tuple[int, int]]:
        keypoints = self.dataset.people.keypoints2d
        if not predictions or keypoints is None:  # the command refuses to detect without keypoints
            return []
        truth = keypoints[rows].joints_137()
        params = SmplxParams.stack([prediction.params for prediction in predictions])
        points = self.body.landmarks137(params)[:, BODY_137]
        pixels = np.stack([prediction.pixels(own) for prediction, own in zip(predictions, points, strict=True)])
        return match_people(pixels, truth.points[:, BODY_137], truth.valid[:, BODY_137])

    def _submit(self, scene: _Scene) -> None:
        if self.submission is None:
            return
        height, width = _pixels(scene).shape[:2]
        people = [person_entry(found, self.body, (height, width)) for found in scene.predictions if found is not None]
        write_submission(self.submission, self.dataset.people.image_paths[scene.rows[0]], people)


@dataclass(eq=False)
class _Scene:
    """An image in a batch, with the rows of its annotated people."""

    number: int
    rows: list[int]
    image: RgbImage | None = None
    boxes: list[Box | None] = field(default_factory=list)
    predictions: list[Prediction | None] = field(default_factory=list)

    @property
    def num_predictions(self) -> int:
        return sum(prediction is not None for prediction in self.predictions)


def read_image(path: Path) -> RgbImage | None:
    """Read an image as `(H, W, 3) uint8` RGB, ignoring its EXIF orientation; None if it cannot be read."""
    try:
        stored = np.fromfile(path, np.uint8)
    except OSError:
        return None
    image = cv2.imdecode(stored, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if stored.size else None
    return None if image is None else np.asarray(image[..., ::-1], np.uint8)


def _rows_by_image(dataset: LoadedSet) -> list[list[int]]:
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(dataset.people.image_paths):
        rows.setdefault(path, []).append(row)
    return list(rows.values())


def _box(row: NDArray[Any]) -> Box | None:
    x, y, width, height = (float(value) for value in row[:4])
    usable = np.isfinite([x, y, width, height]).all() and width > 0 and height > 0
    return Box(x, y, x + width, y + height) if usable else None


def _pixels(scene: _Scene) -> RgbImage:
    assert scene.image is not None
    return scene.image
