"""The estimator on a simulated crowd, with a simulated detector and backbone, and tracking metrics (IDF1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import motmetrics
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.body.model import BodyModel
from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box, pairwise_iou
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.types import BodyEstimate, Frame, Observation, Person

from .crowd import CAMERA, Crowd, Sighting

MATCH = 0.5  # IoU from which a published person matches the ground truth


@dataclass(frozen=True)
class Noise:
    """Errors of the simulated detector."""

    shift: float = 0.0  # standard deviation of each side, relative to the size of the box
    dropped: float = 0.0  # fraction of people who are not detected
    doubled: float = 0.0  # fraction of people with a second box
    false: float = 0.0  # false positives per image


TRUE = Noise()
NOISY = Noise(shift=0.04, dropped=0.15, doubled=0.1, false=0.1)


def _numbered(frame: int) -> NDArray[np.uint8]:
    """Create an image that encodes its number: a detector may process it later in another thread."""
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    image[0, 0, :2] = divmod(frame, 256)
    return image


class CrowdDetector:
    """Returns the boxes of people in view in images of `_numbered`, with noise."""

    def __init__(self, crowd: Crowd, noise: Noise, seed: int) -> None:
        self._crowd, self._noise = crowd, noise
        self._seed = seed

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        return [self._detect(256 * int(image[0, 0, 0]) + int(image[0, 0, 1])) for image in images]

    def _detect(self, frame: int) -> list[Box]:
        rng = np.random.default_rng((self._seed, frame))
        noise = self._noise
        boxes = []
        for person in self._crowd.seen(frame):
            copies = (rng.random() >= noise.dropped) * (1 + (rng.random() < noise.doubled))
            boxes += [_shaken(person.box, noise.shift * (1 + k), rng) for k in range(copies)]
        for _ in range(rng.poisson(noise.false)):
            height = rng.uniform(60, 250)
            x, y = rng.uniform(0, CAMERA.width - height / 2), rng.uniform(0, CAMERA.height - height / 2)
            boxes.append(Box(x, y, x + height / 2, y + height, 0.5))
        return [boxes[i] for i in rng.permutation(len(boxes))]


class CrowdBackbone:
    """Estimates the person who fills most of the box, as networks do, i.e. the one in front of an occluded person.

    With `confirms_people` it returns None for a box without a person, otherwise an arbitrary body.
    """

    name, runtime = "crowd", "none"

    def __init__(self, crowd: Crowd, noise: Noise, seed: int, *, confirms_people: bool = True) -> None:
        self.confirms_people = confirms_people
        self.frame = 0
        self._crowd, self._noise = crowd, noise
        self._rng = np.random.default_rng(seed)

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        return [self._estimate(observation.box) for observation in observations]

    def _estimate(self, box: Box) -> BodyEstimate | None:
        people = self._crowd.seen(self.frame)
        shares = pairwise_iou([box], [person.box for person in people])[0] * [person.visible for person in people]
        if not len(shares) or shares.max() < 0.15:
            return None
        return BodyEstimate(0.9, self._shaken(people[int(shares.argmax())]), np.ones(55))

    def _shaken(self, person: Sighting) -> Any:
        params = person.params
        sway = 0.1 * self._noise.shift * self._rng.normal(0, 1, 3) * params.transl[2]
        return replace(params, transl=params.transl + sway * [1, 1, 0])

    def forget(self, ids: Collection[str]) -> None:
        pass

    def reset(self) -> None:
        pass


def follow(crowd: Crowd, body: BodyModel, noise: Noise, seed: int, **options: Any) -> list[tuple[Person, ...]]:
    """Run the estimator on the crowd; return the published people per frame."""
    detector, backbone = CrowdDetector(crowd, noise, seed), CrowdBackbone(crowd, noise, seed)
    estimator = Estimator(backbone, detector, body, Options(max_people=100, **options, smoothing_enabled=False))
    rows = []
    for k, stamp in enumerate(crowd.stamps_ns):
        backbone.frame = k
        rows.append(estimator.process(Frame(_numbered(k), CAMERA, stamp, "crowd")).people)
    return rows


def identity_scores(crowd: Crowd, published: Sequence[Sequence[tuple[str, Box]]], max_age: float) -> dict[str, float]:
    """Compute `idf1`, `num_switches` and other metrics of the ids and boxes published in each frame."""
    accumulator, numbers = motmetrics.MOTAccumulator(auto_id=True), _Numbers()
    for k, (names, people) in enumerate(zip(crowd.identities(max_age), published, strict=True)):
        seen = crowd.seen(k)
        distance = 1 - pairwise_iou([person.box for person in seen], [box for _, box in people])
        distance[distance > 1 - MATCH] = np.nan
        accumulator.update([numbers[names[p.name]] for p in seen], [numbers[name] for name, _ in people], distance)
    metrics = ["idf1", "idp", "idr", "num_switches", "num_unique_objects", "num_false_positives", "num_misses"]
    summary = motmetrics.metrics.create().compute(accumulator, metrics=metrics)
    return {name: float(value) for name, value in summary.iloc[0].items()}


class _Numbers(dict[str, int]):
    """Assigns a number to each name, because motmetrics accepts numbers only."""

    def __missing__(self, name: str) -> int:
        return self.setdefault(name, len(self))


def _shaken(box: Box, sigma: float, rng: np.random.Generator) -> Box:
    size = np.array([box.width, box.height] * 2)
    return Box(*(box.xyxy + sigma * size * rng.normal(0, 1, 4)), rng.uniform(0.4, 1.0))
