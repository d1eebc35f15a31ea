"""An evaluation: images in batches, predictions, errors, results kept as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..body import BodyModel
from ..geometry.camera import Camera
from ..types import Box, SmplxParams
from .agora import person_entry, write_submission
from .datasets import LoadedSet
from .judges import Judge
from .matching import match_people
from .parts import Part, Status, Store, joined
from .predictors import Answer, Predictor, Query

Image = NDArray[np.uint8]

BODY_137 = slice(0, 25)  # the body's among the 137 joints: what detections are matched by


class Detector(Protocol):
    """Finds people in images."""

    def detect(self, images: Sequence[Image]) -> list[list[Box]]:
        """Boxes per image, pixels."""


@dataclass(frozen=True)
class Evaluation:
    """One evaluation. With a `detector` people are found first, then matched to the truth by their joints."""

    people: LoadedSet
    predictor: Predictor
    judge: Judge
    body: BodyModel  # neutral
    detector: Detector | None = None
    submission: Path | None = None  # folder for AGORA's server

    def run(self, store: Store, batch: int, progress: Callable[[int], object]) -> Part:
        """Measures what the store does not have, about `batch` people at once; all results.

        `progress` is called with numbers of people, also of those that were there. Raises InputError where truth or
        store cannot be read; images that cannot be read are noted.
        """
        parts = store.read()
        done = {int(image) for part in parts for image in part.images}
        progress(sum(len(part.rows) for part in parts))
        for images in self._batches(done, batch):
            part = self._measured(images)
            store.write(part)
            parts.append(part)
            progress(len(part.rows))
        return joined(parts)

    def _batches(self, done: set[int], size: int) -> Iterator[list[_Scene]]:
        batch: list[_Scene] = []
        for number, rows in enumerate(_rows_by_image(self.people)):
            if number in done:
                continue
            batch.append(_Scene(number, rows))
            if sum(len(scene.rows) for scene in batch) >= size:
                yield batch
                batch = []
        if batch:
            yield batch

    def _measured(self, scenes: list[_Scene]) -> Part:
        for scene in scenes:
            scene.image = read_image(self.people.image_path(scene.rows[0]))
        seen = [scene for scene in scenes if scene.image is not None]
        self._set_boxes(seen)
        queries = [query for scene in seen for query in self._queries(scene)]
        answers = iter(self.predictor.predict(queries) if queries else [])
        for scene in seen:
            scene.answers = [None if box is None else next(answers) for box in scene.boxes]
            self._submit(scene)
        return self._judged(scenes)

    def _set_boxes(self, scenes: list[_Scene]) -> None:
        if self.detector is None:
            for scene in scenes:
                scene.boxes = [_box(self.people.people.boxes[row]) for row in scene.rows]
            return
        for scene, found in zip(scenes, self.detector.detect([_pixels(s) for s in scenes]), strict=True):
            scene.boxes = list(found)

    def _queries(self, scene: _Scene) -> list[Query]:
        ratio = self.people.spec.box_ratio if self.detector is None else self.predictor.detection_ratio
        image = _pixels(scene)
        camera = self._camera(scene.rows[0], image)
        return [Query(image, box, ratio, camera) for box in scene.boxes if box is not None]

    def _camera(self, row: int, image: Image) -> Camera | None:
        known = self.people.people.intrinsics
        if known is None:
            return None
        fx, fy, cx, cy = (float(value) for value in known[row])
        return Camera(image.shape[1], image.shape[0], np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))

    def _judged(self, scenes: list[_Scene]) -> Part:
        rows = np.array([row for scene in scenes for row in scene.rows], np.int64)
        images = np.array([scene.number for scene in scenes], np.int64)
        part = Part.empty(images, np.array([scene.found for scene in scenes], np.int64), rows)
        status, chosen, first = part.status.copy(), [], 0
        for scene in scenes:
            if scene.image is not None:
                own = self._own_answers(scene)
                lost = Status.NO_BODY if self.detector is None else Status.NOT_DETECTED
                status[first : first + len(scene.rows)] = lost
                chosen += [(first + i, answer) for i, answer in enumerate(own) if answer is not None]
            first += len(scene.rows)
        part = replace(part, status=status)
        if not chosen:
            return part
        index = np.array([i for i, _ in chosen], np.int64)
        params = SmplxParams.stack([answer.params for _, answer in chosen])
        return part.measured(index, params, self.judge.errors(rows[index], params))

    def _own_answers(self, scene: _Scene) -> list[Answer | None]:
        """The answer for each of the scene's people of the truth."""
        if self.detector is None:
            return scene.answers
        answers = [answer for answer in scene.answers if answer is not None]
        own: list[Answer | None] = [None] * len(scene.rows)
        for i, true in self._matches(answers, scene.rows):
            own[true] = answers[i]
        return own

    def _matches(self, answers: list[Answer], rows: list[int]) -> list[tuple[int, int]]:
        keypoints = self.people.people.keypoints2d
        assert keypoints is not None  # the command checks it
        truth = keypoints[rows].joints_137()
        if not answers:
            return []
        points = self.body.landmarks137(SmplxParams.stack([answer.params for answer in answers]))[:, BODY_137]
        pixels = np.stack([answer.pixels(own) for answer, own in zip(answers, points, strict=True)])
        return match_people(pixels, truth.points[:, BODY_137], truth.valid[:, BODY_137])

    def _submit(self, scene: _Scene) -> None:
        if self.submission is None:
            return
        height, width = _pixels(scene).shape[:2]
        people = [person_entry(a, self.body, (height, width)) for a in scene.answers if a is not None]
        write_submission(self.submission, self.people.people.image_paths[scene.rows[0]], people)


@dataclass
class _Scene:
    """An image on its way through a batch, and its people's rows."""

    number: int
    rows: list[int]
    image: Image | None = None
    boxes: list[Box | None] = field(default_factory=list)
    answers: list[Answer | None] = field(default_factory=list)

    @property
    def found(self) -> int:
        return sum(answer is not None for answer in self.answers)


def read_image(path: Path) -> Image | None:
    """`(H, W, 3) uint8` RGB as it is stored, whatever its EXIF orientation; None where it cannot be read."""
    try:
        stored = np.fromfile(path, np.uint8)
    except OSError:
        return None
    image = cv2.imdecode(stored, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if stored.size else None
    return None if image is None else np.asarray(image[..., ::-1], np.uint8)


def count_images(people: LoadedSet) -> int:
    """Different images of a set."""
    return len(set(people.people.image_paths))


def _rows_by_image(people: LoadedSet) -> list[list[int]]:
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(people.people.image_paths):
        rows.setdefault(path, []).append(row)
    return list(rows.values())


def _box(row: NDArray[Any]) -> Box | None:
    x, y, width, height = (float(value) for value in row[:4])
    usable = np.isfinite([x, y, width, height]).all() and width > 0 and height > 0
    return Box(x, y, x + width, y + height) if usable else None


def _pixels(scene: _Scene) -> Image:
    assert scene.image is not None
    return scene.image
