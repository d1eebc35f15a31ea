"""Calibration of the covariances and confidences of `lite`.

    python benchmarks/calibration.py [--clip DIR] [--out DIR]

Reports the fractions of pelvis errors (along the viewing ray, across it, and in rotation) within 1, 2 and 3 standard
deviations of `pose_covariance`; a normal distribution has 68, 95 and 99.7 %. Reports the image errors of joints by
their `confidence`. Data sets:

* `painted`: the people of benchmarks/rendered_lite.py, entirely inside the image. Constants were tuned on seed 101.
* `posed`: the people of `python -m smplerx_ros synthesize`, with other cameras, backgrounds and clothes. Seed 7 was
  inspected during development.
* `knees`, `hips`, `chest`, `half`: `posed` with the image cropped below these joints or, for `half`, left or right of
  the pelvis. What depends on the visible fraction was tuned on seed 21.
* `real`: the clip of `bench multiview`, a man in four calibrated cameras; --clip is its folder Demo_SinglePerson.

Each set is evaluated with and without the person's height; rendered sets also with perfect depth; and sets that are not
cropped (whose image centre is the principal point) also without CameraInfo.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rendered_lite import random_scene as painted_scene
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from smplerx_ros.backbones.lite.backbone import LiteBackbone
from smplerx_ros.backbones.lite.landmark_estimator import LandmarkEstimator
from smplerx_ros.backbones.lite.topology import BODY_INDEX
from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.config.options import Options
from smplerx_ros.detection.builtin import BuiltinDetector
from smplerx_ros.geometry.rotations import normalized
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.research.evaluation import pose2sim
from smplerx_ros.research.evaluation.calibration import (
    NORMAL_COVERAGE,
    coverage,
    errors_by_confidence,
    max_coverage_deviation,
    ray_axes,
    rotation_error,
    standardized_error,
)
from smplerx_ros.research.evaluation.multiview import LIMB_JOINTS, ROOT, GroundTruth, reconstruct_ground_truth
from smplerx_ros.research.synthetic.scene import SceneOptions, random_scene
from smplerx_ros.tools.bench.multiview import clip_landmarks
from smplerx_ros.types import Frame, Person, SmplxParams
from smplerx_ros.visualization.rasterizer import rasterize

Array = NDArray[Any]

SIZES = ((640, 480), (800, 450), (480, 640), (640, 640))  # of the images of the posed set
MIN_SIZE = 48  # pixels of a cropped image
WALL = 2.0  # metres behind the pelvis, in depth images
MATCH_ERROR = 0.3  # median image error of the joints up to which an estimate matches, in units of the person's extent
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)  # of the bins of confidence
BODY, FINGERS = slice(22), slice(25, 55)
LIMBS = [JOINT_INDEX[name] for name in LIMB_JOINTS]
SHOULDERS = [LIMB_JOINTS.index(f"{side}_shoulder") for side in ("left", "right")]


@dataclass(frozen=True)
class Condition:
    """Inputs of the estimator besides the image."""

    name: str
    height: bool = False
    camera: bool = True
    depth: bool = False


CONDITIONS = (
    Condition("nothing"),
    Condition("person_height", height=True),
    Condition("no CameraInfo", camera=False),
    Condition("no CameraInfo, person_height", height=True, camera=False),
    Condition("depth", depth=True),
)


@dataclass
class Errors:
    """Errors on one data set in one condition; the first three in standard deviations."""

    asked: int = 0  # people in the data set
    along: list[float] = field(default_factory=list)
    across: list[Array] = field(default_factory=list)  # (2,)
    turned: list[Array] = field(default_factory=list)  # (3,) rotation, along the principal axes of its covariance
    confidence: dict[str, list[Array]] = field(default_factory=dict)  # by group of joints
    pixels: dict[str, list[Array]] = field(default_factory=dict)  # image errors, in units of the person's extent


class Lite:
    """Factory of estimators that share their networks."""

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        self._landmarks, self._detector = LandmarkEstimator("cpu", 1), BuiltinDetector("cpu", 1)

    def estimator(self, height: float | None, *, smooth: bool = False) -> Estimator:
        """Create an estimator; `smooth` is for image streams."""
        options = Options(person_height=height or 0.0, smoothing_enabled=smooth)
        return Estimator(LiteBackbone(self._body, self._landmarks, height), self._detector, self._body, options)


def painted(body: BodyModel, count: int, seed: int) -> Iterator[tuple[Frame, SmplxParams]]:
    """Render the people of rendered_lite.py."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        scene = painted_scene(rng, body)
        yield scene.frame, scene.params


def posed(body: BodyModel, count: int, seed: int) -> Iterator[tuple[Frame, SmplxParams]]:
    """Render the people of `synthesize`."""
    for index in range(count):
        width, height = SIZES[index % len(SIZES)]
        scene = random_scene(body, SceneOptions(width=width, height=height), seed, index)
        for params in scene.people:
            yield Frame(scene.image, scene.camera), params


def cropped_below(joint: str, body: BodyModel, count: int, seed: int) -> Iterator[tuple[Frame, SmplxParams]]:
    """Render the posed set, cropped below `joint`."""
    for frame, params in posed(body, count, seed):
        assert frame.camera is not None
        bottom = frame.camera.project(body.joints(params)[0, JOINT_INDEX[joint]])[1]
        if MIN_SIZE <= bottom < frame.camera.height:
            yield cropped(frame, 0, 0, frame.camera.width, int(bottom)), params


def cropped_beside(body: BodyModel, count: int, seed: int) -> Iterator[tuple[Frame, SmplxParams]]:
    """Render the posed set, cropped to the left or to the right of the pelvis, alternately."""
    for index, (frame, params) in enumerate(posed(body, count, seed)):
        assert frame.camera is not None
        column = int(frame.camera.project(body.joints(params)[0, 0])[0])
        left, right = (0, column) if index % 2 == 0 else (column, frame.camera.width)
        if right - left >= MIN_SIZE:
            yield cropped(frame, left, 0, right, frame.camera.height), params


def cropped(frame: Frame, left: int, top: int, right: int, bottom: int) -> Frame:
    """Crop a frame and adapt its intrinsics."""
    camera = frame.camera
    assert camera is not None
    k = camera.k - [[0, 0, left], [0, 0, top], [0, 0, 0]]
    image = np.ascontiguousarray(frame.image[top:bottom, left:right])
    return replace(frame, image=image, camera=replace(camera, width=right - left, height=bottom - top, k=k))


Scenes = Callable[[BodyModel, int, int], Iterator[tuple[Frame, SmplxParams]]]
CROPPED: dict[str, Scenes] = {
    "knees": partial(cropped_below, "left_knee"),
    "hips": partial(cropped_below, "left_hip"),
    "chest": partial(cropped_below, "spine2"),
    "half": cropped_beside,
}
RENDERED: dict[str, Scenes] = {"painted": painted, "posed": posed, **CROPPED}


def rendered_errors(
    lite: Lite, body: BodyModel, scenes: Iterator[tuple[Frame, SmplxParams]], conditions: Sequence[Condition]
) -> dict[str, Errors]:
    """Compute the errors on a rendered data set in each of `conditions`."""
    errors = {condition.name: Errors() for condition in conditions}
    for frame, params in scenes:
        assert frame.camera is not None
        joints = body.joints(params)[0]
        pixels = frame.camera.project(joints)
        size = (frame.camera.width, frame.camera.height)
        inside = np.flatnonzero(((pixels[BODY] >= 0) & (pixels[BODY] < size)).all(axis=1)).tolist()
        for condition in conditions:
            height = float(body.stature(params.betas)[0]) if condition.height else None
            given = frame if condition.camera else replace(frame, camera=None)
            given = replace(given, depth=_depth(frame, body, params)) if condition.depth else given
            person = matching_person(lite.estimator(height).estimate(given), pixels[inside], inside)
            errors[condition.name].asked += 1
            if person is not None:
                rotation = rotation_error(person.params.global_orient, params.global_orient)
                add(errors[condition.name], person, person.joints[0] - joints[0], joints[0], rotation)
                for name, rows in (("body", BODY), ("fingers", FINGERS)):
                    add_confidence(errors[condition.name], name, person, pixels[rows], np.arange(55)[rows])
    return errors


def real_errors(lite: Lite, clip: Path, truth: GroundTruth) -> dict[str, Errors]:
    """Compute the errors on the clip, each camera a separate stream.

    The rotation error is that of the trunk: landmarks do not determine the rotation of the pelvis.
    """
    errors = {}
    for condition in CONDITIONS[:-1]:
        found = errors[condition.name] = Errors()
        for number, name in enumerate(pose2sim.CAMERAS):
            estimator = lite.estimator(pose2sim.PERSON_HEIGHT if condition.height else None, smooth=True)
            camera = truth.views[number].camera
            landmarks = truth.in_camera(number)[:, [BODY_INDEX[joint] for joint in LIMB_JOINTS]]
            for picture, joints in zip(pose2sim.frames(clip, name), landmarks, strict=True):
                stamp = round(picture.seconds * 1e9)
                frame = Frame(picture.image, camera if condition.camera else None, stamp, name)
                pixels = camera.project(joints)
                person = matching_person(list(estimator.process(frame).people), pixels, LIMBS)
                found.asked += 1
                if person is None:
                    continue
                own, root = person.joints[LIMBS], joints[ROOT].mean(axis=0)
                rotation = Rotation.from_matrix(trunk_axes(own) @ trunk_axes(joints).T).as_rotvec()
                add(found, person, own[ROOT].mean(axis=0) - root, root, rotation)
                add_confidence(found, "limbs", person, pixels, np.array(LIMBS))
    return errors


def matching_person(people: list[Person], pixels: Array, joints: list[int]) -> Person | None:
    """Return the person whose `joints` are nearest to `pixels`, if within MATCH_ERROR."""
    extent = np.ptp(pixels, axis=0).max()

    def error(person: Person) -> float:
        return float(np.nanmedian(np.linalg.norm(person.joints_image[joints] - pixels, axis=1)))

    nearest = min(people, key=error, default=None)
    return nearest if nearest is not None and error(nearest) < MATCH_ERROR * extent else None


def add(errors: Errors, person: Person, position: Array, truth: Array, rotation: Array) -> None:
    """Add the errors of position (m) and rotation (rad), optical frame, of a person whose true position is `truth`."""
    covariance = person.pose_covariance
    along, *across = standardized_error(position, covariance[:3, :3], ray_axes(truth))
    errors.along.append(float(along))
    errors.across.append(np.array(across))
    principal = np.linalg.eigh(covariance[3:, 3:])[1].T
    errors.turned.append(standardized_error(rotation, covariance[3:, 3:], principal))


def add_confidence(errors: Errors, name: str, person: Person, pixels: Array, joints: Array) -> None:
    """Add confidences and image errors of a group of joints."""
    distances = np.linalg.norm(person.joints_image[joints] - pixels, axis=1)
    errors.confidence.setdefault(name, []).append(person.confidence[joints])
    errors.pixels.setdefault(name, []).append(distances / max(person.box.width, person.box.height))


def trunk_axes(limbs: Array) -> Array:
    """Return the axes of the trunk (left, up, front) as columns `(3, 3)`, from LIMB_JOINTS `(12, 3)`."""
    up = normalized(limbs[SHOULDERS].mean(axis=0) - limbs[ROOT].mean(axis=0))
    left = limbs[ROOT[0]] - limbs[ROOT[1]]
    left = normalized(left - (left @ up) * up)
    return np.stack([left, up, np.cross(left, up)], axis=1)


def _depth(frame: Frame, body: BodyModel, params: SmplxParams) -> NDArray[np.float32]:
    """Render the depth image of a perfect sensor."""
    assert frame.camera is not None
    depth = rasterize(body.vertices(params)[0], body.faces, frame.camera).depth_image()
    return np.where(np.isfinite(depth), depth, body.joints(params)[0, 0, 2] + WALL).astype(np.float32)


def covariance_table(sets: dict[str, dict[str, Errors]]) -> str:
    """Format the coverage of all data sets and conditions in Markdown."""
    normal = " / ".join(f"{100 * share:.0f}" for share in NORMAL_COVERAGE)
    lines = [
        f"Errors within 1 / 2 / 3 standard deviations, percent; a normal distribution has {normal}.",
        "",
        "| people | given | found | along the ray | across it | rotation | largest deviation |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name, conditions in sets.items():
        for condition, errors in conditions.items():
            fractions = [coverage(values) for values in (errors.along, errors.across, errors.turned)]
            cells = [" / ".join(f"{100 * fraction:.0f}" for fraction in one) for one in fractions]
            deviation = max(map(max_coverage_deviation, fractions))
            found = f"{len(errors.along)} of {errors.asked}"
            lines.append(f"| {name} | {condition} | {found} | {' | '.join(cells)} | {100 * deviation:.0f} |")
    return "\n".join(lines)


def confidence_table(sets: dict[str, dict[str, Errors]]) -> str:
    """Format image errors by confidence in Markdown; in the first condition (CameraInfo only)."""
    bins = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    lines = [
        "Image errors of joints by their confidence, percent of the person's extent in the image: median, "
        "90th percentile (number of joints).",
        "",
        f"| people | joints | {' | '.join(bins)} |",
        "|---|---|" + "--:|" * len(bins),
    ]
    for name, conditions in sets.items():
        errors = conditions[CONDITIONS[0].name]
        for part, confidence in errors.confidence.items():
            rows = errors_by_confidence(np.concatenate(confidence), np.concatenate(errors.pixels[part]), EDGES)
            cells = [f"{100 * median:.1f}, {100 * high:.1f} ({count})" if count else "" for count, median, high in rows]
            lines.append(f"| {name} | {part} | {' | '.join(cells)} |")
    return "\n".join(lines)


def as_numbers(sets: dict[str, dict[str, Errors]]) -> dict[str, Any]:
    """Return the standardized errors for the JSON report."""
    return {
        name: {
            condition: {
                "asked": errors.asked,
                "along": np.round(errors.along, 3).tolist(),
                "across": np.round(errors.across, 3).tolist(),
                "turned": np.round(errors.turned, 3).tolist(),
            }
            for condition, errors in conditions.items()
        }
        for name, conditions in sets.items()
    }


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=160, help="per rendered set [%(default)s]")
    parser.add_argument("--seed", type=int, default=8, help="of the rendered sets [%(default)s]")
    parser.add_argument("--sets", nargs="*", default=list(RENDERED), choices=list(RENDERED), help="rendered sets [all]")
    parser.add_argument("--clip", type=Path, help="folder Demo_SinglePerson of pose2sim, adds the set `real`")
    parser.add_argument("--landmarks", type=Path, help="cache of the ground truth's landmarks, as in `bench multiview`")
    parser.add_argument("--out", type=Path, help="folder for calibration.json and .md")
    arguments = parser.parse_args()
    body = load_body()
    lite, sets = Lite(body), {}
    for name in arguments.sets:
        scenes = RENDERED[name](body, arguments.people, arguments.seed)
        images = tqdm(scenes, total=arguments.people, desc=name)
        conditions = [condition for condition in CONDITIONS if condition.camera or name not in CROPPED]
        sets[name] = rendered_errors(lite, body, iter(images), conditions)
    if arguments.clip:
        clip = pose2sim.clip_folder(arguments.clip)
        views, seen = pose2sim.views(clip), clip_landmarks(clip, arguments.landmarks, 1)
        truth = reconstruct_ground_truth(list(views.values()), [seen[name] for name in views], pose2sim.RATE)
        sets["real"] = real_errors(lite, clip, truth)
    text = f"{covariance_table(sets)}\n\n{confidence_table(sets)}"
    print(text)
    if arguments.out:
        write_report(arguments.out, "calibration", as_numbers(sets), text, command_line(), machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
