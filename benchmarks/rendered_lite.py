"""Errors of `lite` on rendered people.

    python benchmarks/rendered_lite.py [--people 60] [--out DIR]

The stand-in body is rendered in random poses, shapes and clothes in front of a random background, by random calibrated
cameras (focal length, height, pitch, lens) 2 to 7 m away; one image per person. The rendered body model is also the one
that is fitted, so that shape and definition of joints contribute no error; the networks, on the other hand, were not
trained on such images. Use the results for trends (lean, distance, missed people), not as the accuracy on real images.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from smplerx_ros.backbones.lite.pose_prior import PosePrior
from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.body.surface import vertex_normals
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import normalized
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.research.evaluation.alignment import root_aligned_errors, similarity, similarity_aligned_errors
from smplerx_ros.research.evaluation.multiview import LIMB_JOINTS, ROOT
from smplerx_ros.types import Frame, SmplxParams
from smplerx_ros.visualization.rasterizer import rasterize

Array = NDArray[Any]
Image = NDArray[np.uint8]

LIMBS = [JOINT_INDEX[name] for name in LIMB_JOINTS]
POSE_SPREAD = 0.5  # factor of the pose prior's standard deviations; people who stand, walk and gesture
LENSES = ([], [-0.2, 0.06, 0.0005, -0.0005, 0.0])  # plumb_bob


@dataclass(frozen=True)
class Scene:
    """An image of a person with its ground truth."""

    frame: Frame
    params: SmplxParams
    joints: Array  # (55, 3) metres, optical frame
    stature: float  # metres
    pitch: float  # radians, downward tilt of the camera


def random_scene(rng: np.random.Generator, body: BodyModel) -> Scene:
    """Render a person who is entirely inside the image."""
    while True:
        width, height = [(640, 480), (1280, 720), (720, 1280), (1280, 960)][rng.integers(4)]
        focal = rng.uniform(0.6, 1.3) * max(width, height)
        k = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        camera = Camera(width, height, k, np.array(LENSES[rng.integers(2)]))
        params, pitch = _random_person(rng, body, camera)
        vertices = body.vertices(params)[0]
        pixels = camera.project(vertices)
        if np.isfinite(pixels).all() and pixels.min() > 3 and (pixels.max(axis=0) < [width - 3, height - 3]).all():
            stature = float(np.ptp(body.vertices(replace(SmplxParams.rest(), betas=params.betas))[0, :, 1]))
            image = _render(rng, body, vertices, camera)
            return Scene(Frame(image, camera), params, body.joints(params)[0], stature, pitch)


def _random_person(rng: np.random.Generator, body: BodyModel, camera: Camera) -> tuple[SmplxParams, float]:
    prior = PosePrior.standard()
    moved = np.isfinite(1 / np.maximum(prior.precision, 1e-9)) & (prior.precision > 0)
    spread = POSE_SPREAD / np.sqrt(np.where(moved, prior.precision, 1))
    rotvecs = np.zeros((22, 3))
    rotvecs[prior.joints] = rng.normal(prior.mean, np.where(moved, spread, 0)).clip(prior.low, prior.high)
    pitch = rng.uniform(-0.1, 0.45)
    # Upright in the level frame (x right, y down, z forward) with a random yaw; the camera is tilted down.
    level = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_euler("y", rng.uniform(-np.pi, np.pi))
    optical_from_level = Rotation.from_euler("x", pitch)
    distance, across = rng.uniform(2, 7), rng.uniform(-0.25, 0.25, 2)
    position = distance * normalized([*across, 1.0])
    params = replace(
        SmplxParams.rest(),
        global_orient=(optical_from_level * level).as_rotvec(),
        body_pose=rotvecs[1:].ravel(),
        betas=rng.normal(0, 0.7, 10),
    )
    return replace(params, transl=position - body.rest_joints(params.betas)[0, 0]), pitch


def _render(rng: np.random.Generator, body: BodyModel, vertices: Array, camera: Camera) -> Image:
    """Render a shaded body in front of blurred coloured noise, with blur and sensor noise."""
    small = rng.uniform(40, 215, (6, 8, 3)).astype(np.float32)
    image = cv2.resize(small, (camera.width, camera.height), interpolation=cv2.INTER_CUBIC)
    raster = rasterize(vertices, body.faces, camera)
    normals = normalized(raster.interpolate(vertex_normals(vertices, body.faces), body.faces))
    light = 0.55 + 0.5 * np.clip(normals @ normalized(rng.normal([0, -0.7, -0.7], 0.3)), 0, None)
    image.reshape(-1, 3)[raster.pixels] = raster.interpolate(_paint(rng, body), body.faces) * light[:, None]
    image = cv2.GaussianBlur(image, (3, 3), 0) + rng.normal(0, 3, image.shape)
    return np.asarray(image.clip(0, 255), np.uint8)


def _paint(rng: np.random.Generator, body: BodyModel) -> Array:
    """Return vertex colours `(V, 3)` of skin, hair, shirt, trousers and shoes, by position in the rest pose."""
    at, joints = body.v_template, body.joint_template
    skin = np.array([[236, 188, 160], [198, 134, 98], [141, 85, 54]][rng.integers(3)], float)
    color = np.tile(skin, (len(at), 1))
    neck, hips, ankles = (joints[JOINT_INDEX[name], 1] for name in ("neck", "left_hip", "left_ankle"))
    elbow, eyes = abs(joints[JOINT_INDEX["left_elbow"], 0]), joints[JOINT_INDEX["left_eye"]]
    color[(at[:, 1] < neck - 0.02) & (at[:, 1] >= hips) & (np.abs(at[:, 0]) < 0.8 * elbow)] = rng.uniform(30, 230, 3)
    color[(at[:, 1] < hips + 0.03) & (np.abs(at[:, 0]) < 0.6 * elbow)] = rng.uniform(20, 110, 3)
    color[at[:, 1] < ankles + 0.01] = rng.uniform(10, 60, 3)
    crown = (at[:, 1] > eyes[1] + 0.06) | ((at[:, 1] > eyes[1] - 0.06) & (at[:, 2] < eyes[2] - 0.10))
    color[crown & (np.abs(at[:, 0]) < 0.15)] = rng.uniform(10, 70, 3)
    color[np.linalg.norm(at - eyes, axis=1) < 0.014] = color[np.linalg.norm(at - eyes * [-1, 1, 1], axis=1) < 0.014] = (
        25
    )
    return color


def measure(scenes: list[Scene], body: BodyModel, *, with_height: bool) -> list[dict[str, float]]:
    """Return the errors for each person found; millimetres, degrees, percent."""
    rows = []
    for number, scene in enumerate(tqdm(scenes, unit="image")):
        height = {"person_height": scene.stature} if with_height else {}
        with Estimator.from_config({"threads": 1, **height}) as estimator:
            people = estimator.estimate(scene.frame)
        if not people:
            continue
        person = min(people, key=lambda p: float(np.linalg.norm(p.joints[0] - scene.joints[0])))
        joints, truth = person.joints[LIMBS], scene.joints[LIMBS]
        distance, true_distance = (np.linalg.norm(j[ROOT].mean(axis=0)) for j in (joints, truth))
        rotation = Rotation.from_matrix(similarity(joints, truth).rotation)  # from estimate to ground truth
        rows.append(
            {
                "scene": number,
                "mpjpe": 1e3 * float(root_aligned_errors(joints, truth, ROOT).mean()),
                "pa_mpjpe": 1e3 * float(similarity_aligned_errors(joints, truth).mean()),
                "distance": 100 * float(distance / true_distance - 1),
                "turned": float(np.degrees(rotation.magnitude())),
                "pitched": float(np.degrees(rotation.as_rotvec()[0])),
                "pitch": float(np.degrees(scene.pitch)),
            }
        )
    return rows


def table(rows: list[dict[str, float]], count: int, name: str) -> str:
    """Summarize medians and means over the people found."""
    value = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    flipped = value["turned"] > 90
    kept = {key: array[~flipped] for key, array in value.items()}
    return (
        f"{name}: found {len(rows)} of {count}; flipped (over 90 degrees) {flipped.sum()}; of the others, median "
        f"(mean): MPJPE {np.median(kept['mpjpe']):.0f} ({kept['mpjpe'].mean():.0f}) mm, "
        f"PA-MPJPE {np.median(kept['pa_mpjpe']):.0f} ({kept['pa_mpjpe'].mean():.0f}) mm, "
        f"distance error {np.median(np.abs(kept['distance'])):.1f} ({np.abs(kept['distance']).mean():.1f}) %, "
        f"bias {kept['distance'].mean():+.1f} %, rotation of the whole body {np.median(kept['turned']):.0f} degrees; "
        f"mean rotation about the image's x axis {kept['pitched'].mean():+.1f} degrees."
    )


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for rendered_lite.json and .md")
    parser.add_argument("--pictures", type=Path, help="folder for the first 12 images")
    arguments = parser.parse_args()
    body, rng = load_body(), np.random.default_rng(arguments.seed)
    scenes = [random_scene(rng, body) for _ in range(arguments.people)]
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        for number, scene in enumerate(scenes[:12]):
            cv2.imwrite(str(arguments.pictures / f"{number:02}.png"), scene.frame.image[:, :, ::-1])
    runs = {
        "height given": measure(scenes, body, with_height=True),
        "without": measure(scenes, body, with_height=False),
    }
    text = "\n\n".join(table(rows, len(scenes), name) for name, rows in runs.items())
    print(text)
    if arguments.out:
        write_report(arguments.out, "rendered_lite", {"runs": runs}, text, command_line(), machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
