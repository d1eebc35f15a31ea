"""Measure the calibration of `lite`'s covariances and confidences.

Usage: python benchmarks/calibration.py [--clip DIR] [--out DIR]

Errors of the pelvis along and across the ray, and of its rotation, in the standard deviations of `pose_covariance`: a
normal distribution has 68, 95 and 99.7 % of each within 1, 2 and 3. And errors of joints by their `confidence`. On
* `painted`: the people of benchmarks/rendered_lite.py, wholly in the picture. The constants were chosen on seed 101;
* `posed`: those of `python -m smplerx_ros synthesize`, of other cameras, places and clothes; seed 7 was looked at;
* `knees`, `hips`, `chest`, `half`: `posed` again, the image cut off below these joints, or beside the pelvis, so that
  the left or the right half of the person is outside. What depends on the share inside was chosen on seed 21;
* `real`: a man in four calibrated cameras, as `bench multiview` has him: --clip is its folder Demo_SinglePerson.
Each set without and with the person's height, where it is rendered with perfect depth, and, unless it is cut (where
the middle of the image is not the camera's), without CameraInfo.
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

SIZES = ((640, 480), (800, 450), (480, 640), (640, 640))  # of the posed set's pictures
LEAST_SIZE = 48  # pixels of a cut picture
WALL = 2.0  # metres behind the pelvis, in depth images
SAME_PERSON = 0.3  # median error of the joints in the image, as a share of the person's extent
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)  # of the bins of confidence
BODY, FINGERS = slice(22), slice(25, 55)
LIMBS = [JOINT_INDEX[name] for name in LIMB_JOINTS]
SHOULDERS = [LIMB_JOINTS.index(f"{side}_shoulder") for side in ("left", "right")]


@dataclass(frozen=True)
class Condition:
    """What the estimator is given of a picture."""

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
    """Of one set in one condition."""

    asked: int = 0
    along: list[float] = field(default_factory=list)  # standard deviations
    across: list[Array] = field(default_factory=list)  # (2,)
    turned: list[Array] = field(default_factory=list)  # (3,) about the principal axes of their covariance
    confidence: dict[str, list[Array]] = field(default_factory=dict)
    pixels: dict[str, list[Array]] = field(default_factory=dict)  # as shares of the person's extent in the image


class Lite:
    """Estimators of single images or of streams that share their networks."""

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        self._landmarks, self._detector = LandmarkEstimator("cpu", 1), BuiltinDetector("cpu", 1)

    def estimator(self, height: float | None, *, smooth: bool = False) -> Estimator:
        """Without smoothing for single images."""
        options = Options(person_height=height or 0.0, smoothing_enabled=smooth)
        return Estimator(LiteBackbone(self._body, self._landmarks, height), self._detector, self._body, options)


def painted(body: BodyModel, count: int, seed: int) -> Iterator[tuple[Frame, SmplxParams]]:
    """Pictures of rendered_lite.py."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        scene = painted_scene(rng, body)
        yield scene.frame, scene.params


def posed(body: BodyModel, count: int, seed: int) -> Iterator[tuple[Frame, SmplxParams]]:
    """Pictures of `synthesize`."""
    for index in range(count):
        width, height = SIZES[index % len(SIZES)]
        scene = random_scene(body, SceneOptions(width=width, height=height), seed, index)
        for params in scene.people:
            yield Frame(scene.image, scene.camera), params


def cut_below(joint: str, body: BodyModel, count: int, seed: int) -> Iterator[tuple[Frame, SmplxParams]]:
    """The posed pictures as far down as `joint`."""
    for frame, params in posed(body, count, seed):
        assert frame.camera is not None
        bottom = frame.camera.project(body.joints(params)[0, JOINT_INDEX[joint]])[1]
        if LEAST_SIZE <= bottom < frame.camera.height:
            yield cropped(frame, 0, 0, frame.camera.width, int(bottom)), params


def cut_beside(body: BodyModel, count: int, seed: int) -> Iterator[tuple[Frame, SmplxParams]]:
    """The posed pictures left and right of the pelvis, in turn."""
    for index, (frame, params) in enumerate(posed(body, count, seed)):
        assert frame.camera is not None
        column = int(frame.camera.project(body.joints(params)[0, 0])[0])
        left, right = (0, column) if index % 2 == 0 else (column, frame.camera.width)
        if right - left >= LEAST_SIZE:
            yield cropped(frame, left, 0, right, frame.camera.height), params


def cropped(frame: Frame, left: int, top: int, right: int, bottom: int) -> Frame:
    """That part of the image, as a smaller camera would see it."""
    camera = frame.camera
    assert camera is not None
    k = camera.k - [[0, 0, left], [0, 0, top], [0, 0, 0]]
    image = np.ascontiguousarray(frame.image[top:bottom, left:right])
    return replace(frame, image=image, camera=replace(camera, width=right - left, height=bottom - top, k=k))


Scenes = Callable[[BodyModel, int, int], Iterator[tuple[Frame, SmplxParams]]]
CUT: dict[str, Scenes] = {
    "knees": partial(cut_below, "left_knee"),
    "hips": partial(cut_below, "left_hip"),
    "chest": partial(cut_below, "spine2"),
    "half": cut_beside,
}
RENDERED: dict[str, Scenes] = {"painted": painted, "posed": posed, **CUT}


def rendered_errors(
    lite: Lite, body: BodyModel, scenes: Iterator[tuple[Frame, SmplxParams]], conditions: Sequence[Condition]
) -> dict[str, Errors]:
    """Of each of `conditions`."""
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
            person = same_person(lite.estimator(height).estimate(given), pixels[inside], inside)
            errors[condition.name].asked += 1
            if person is not None:
                wrong = rotation_error(person.params.global_orient, params.global_orient)
                add(errors[condition.name], person, person.joints[0] - joints[0], joints[0], wrong)
                for name, rows in (("body", BODY), ("fingers", FINGERS)):
                    add_confidence(errors[condition.name], name, person, pixels[rows], np.arange(55)[rows])
    return errors


def real_errors(lite: Lite, clip: Path, truth: GroundTruth) -> dict[str, Errors]:
    """Of the clip, every camera a stream of its own; the trunk's rotation, since nobody knows the pelvis'."""
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
                person = same_person(list(estimator.process(frame).people), pixels, LIMBS)
                found.asked += 1
                if person is None:
                    continue
                own, root = person.joints[LIMBS], joints[ROOT].mean(axis=0)
                wrong = turn_between(trunk(own), trunk(joints))
                add(found, person, own[ROOT].mean(axis=0) - root, root, wrong)
                add_confidence(found, "limbs", person, pixels, np.array(LIMBS))
    return errors


def same_person(people: list[Person], pixels: Array, joints: list[int]) -> Person | None:
    """The one whose `joints` are nearest to `pixels`, if near at all."""
    extent = np.ptp(pixels, axis=0).max()

    def off(person: Person) -> float:
        return float(np.nanmedian(np.linalg.norm(person.joints_image[joints] - pixels, axis=1)))

    nearest = min(people, key=off, default=None)
    return nearest if nearest is not None and off(nearest) < SAME_PERSON * extent else None


def add(errors: Errors, person: Person, place: Array, truth: Array, wrong: Array) -> None:
    """Errors of place (m) and rotation (rad), optical frame, of somebody who is at `truth`."""
    covariance = person.pose_covariance
    along, *across = standardized_error(place, covariance[:3, :3], ray_axes(truth))
    errors.along.append(float(along))
    errors.across.append(np.array(across))
    principal = np.linalg.eigh(covariance[3:, 3:])[1].T
    errors.turned.append(standardized_error(wrong, covariance[3:, 3:], principal))


def add_confidence(errors: Errors, name: str, person: Person, pixels: Array, joints: Array) -> None:
    """Of the joints, errors in the image as shares of the person's extent."""
    off = np.linalg.norm(person.joints_image[joints] - pixels, axis=1) / max(person.box.width, person.box.height)
    errors.confidence.setdefault(name, []).append(person.confidence[joints])
    errors.pixels.setdefault(name, []).append(off)


def trunk(limbs: Array) -> Array:
    """`(3, 3)`, columns: axes of the trunk of LIMB_JOINTS `(12, 3)`: its left, up and front."""
    up = normalized(limbs[SHOULDERS].mean(axis=0) - limbs[ROOT].mean(axis=0))
    left = limbs[ROOT[0]] - limbs[ROOT[1]]
    left = normalized(left - (left @ up) * up)
    return np.stack([left, up, np.cross(left, up)], axis=1)


def turn_between(axes: Array, truth: Array) -> Array:
    """`(3,)` rad: the rotation that is wrong."""
    return np.asarray(Rotation.from_matrix(axes @ truth.T).as_rotvec())


def _depth(frame: Frame, body: BodyModel, params: SmplxParams) -> NDArray[np.float32]:
    """What a perfect sensor would measure."""
    assert frame.camera is not None
    depth = rasterize(body.vertices(params)[0], body.faces, frame.camera).depth_image()
    return np.where(np.isfinite(depth), depth, body.joints(params)[0, 0, 2] + WALL).astype(np.float32)


def covariance_table(sets: dict[str, dict[str, Errors]]) -> str:
    """Shares within 1, 2 and 3 standard deviations."""
    normal = " / ".join(f"{100 * share:.0f}" for share in NORMAL_COVERAGE)
    lines = [
        f"Shares within 1 / 2 / 3 standard deviations, percent; a normal distribution has {normal}.",
        "",
        "| people | given | found | along the ray | across it | turned | furthest off |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name, conditions in sets.items():
        for condition, errors in conditions.items():
            shares = [coverage(values) for values in (errors.along, errors.across, errors.turned)]
            cells = [" / ".join(f"{100 * share:.0f}" for share in one) for one in shares]
            off = max(map(max_coverage_deviation, shares))
            found = f"{len(errors.along)} of {errors.asked}"
            lines.append(f"| {name} | {condition} | {found} | {' | '.join(cells)} | {100 * off:.0f} |")
    return "\n".join(lines)


def confidence_table(sets: dict[str, dict[str, Errors]]) -> str:
    """Errors in the image by confidence; without anything given, but for the camera."""
    bins = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    lines = [
        "Errors of joints in the image by their confidence, percent of the person's extent in it: median, "
        "90th percentile (joints).",
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
    """For the report."""
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
    """Print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=160, help="of each rendered set [%(default)s]")
    parser.add_argument("--seed", type=int, default=8, help="of the rendered sets [%(default)s]")
    parser.add_argument("--sets", nargs="*", default=list(RENDERED), choices=list(RENDERED), help="rendered ones [all]")
    parser.add_argument("--clip", type=Path, help="folder Demo_SinglePerson of pose2sim: measures real people, too")
    parser.add_argument("--landmarks", type=Path, help="keep the truth's landmarks there, as `bench multiview` does")
    parser.add_argument("--out", type=Path, help="folder for calibration.json and .md")
    arguments = parser.parse_args()
    body = load_body()
    lite, sets = Lite(body), {}
    for name in arguments.sets:
        scenes = RENDERED[name](body, arguments.people, arguments.seed)
        pictures = tqdm(scenes, total=arguments.people, desc=name)
        conditions = [condition for condition in CONDITIONS if condition.camera or name not in CUT]
        sets[name] = rendered_errors(lite, body, iter(pictures), conditions)
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
