"""People of known pose in known cameras, and their best fit in the virtual camera of a crop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from smplerx_ros.backbones.lite.pose_prior import PosePrior
from smplerx_ros.body.model import STANDIN_FILE, BodyModel
from smplerx_ros.body.model_file import read_body
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.crops import crop_box
from smplerx_ros.types import SmplxParams

Array = NDArray[np.float64]

TEMPLATE_SHIFT = (0.003, -0.35, 0.012)  # metres, approximate position of SMPL-X's rest pelvis relative to its origin
BOX_RATIO = 1.25
FOCAL, CROP_WIDTH, CROP_HEIGHT = 5000.0, 192, 256  # of the crop's virtual camera
DISTORTIONS = {
    "plumb_bob": [-0.25, 0.08, 0.001, -0.0005, -0.01],
    "rational_polynomial": [0.1, 0.02, 0.0005, 0.0002, 0.001, 0.3, 0.05, 0.004],
    "equidistant": [0.01, -0.008, 0.002, 0.0],
}


@dataclass(frozen=True)
class Case:
    """A person in a camera."""

    camera: Camera
    params: SmplxParams  # ground truth, optical frame of the camera
    joints: Array  # (55, 3) metres
    pixels: Array  # (55, 2)
    box: Box
    region: Array  # (4,) of the crop
    off_axis: float  # radians, of the pelvis


def shifted_body() -> BodyModel:
    """Load the stand-in with its rest pelvis as far from the origin as SMPL-X's."""
    with (files("smplerx_ros") / "assets" / STANDIN_FILE).open("rb") as file:
        data = read_body(file, STANDIN_FILE)
    # float64: the joints are regressed from the template, and the regressor's rows sum to 1 only approximately.
    return BodyModel(replace(data, v_template=data.v_template.astype(np.float64) + TEMPLATE_SHIFT))


def random_case(rng: np.random.Generator, body: BodyModel, off_axis_deg: tuple[float, float]) -> Case:
    """Draw an upright person in a random pose, entirely in the image, 1.5 to 8 m away, off the optical axis."""
    while True:
        camera = _random_camera(rng)
        case = _placed(rng, body, camera, np.radians(off_axis_deg))
        if case is not None:
            return case


def fitted_crop(case: Case, body: BodyModel, *, turn: bool) -> SmplxParams:
    """Fit the virtual camera of the crop to the pixels of all 55 joints, as a perfect network would.

    Args:
        case: The person, whose pose and shape are given.
        body: Body model.
        turn: Whether the orientation is free, as for a network that only sees the crop; otherwise it is that in the
            real camera.
    """
    rest = body.rest_joints(case.params.betas)[0, 0]
    centred = (case.joints - case.joints[0]) @ Rotation.from_rotvec(case.params.global_orient).as_matrix()
    x, y, width, height = np.asarray(case.region, np.float64)
    scale = np.array([FOCAL / CROP_WIDTH * width, FOCAL / CROP_HEIGHT * height])
    centre = np.array([x + width / 2, y + height / 2])
    start = np.concatenate([case.params.global_orient, [0, 0, case.joints[0, 2] * scale[0] / case.camera.k[0, 0]]])

    def orient(variables: Array) -> Array:
        return variables[:3] if turn else np.asarray(case.params.global_orient, np.float64)

    def residuals(variables: Array) -> Array:
        points = centred @ Rotation.from_rotvec(orient(variables)).as_matrix().T + variables[3:]
        return ((points[:, :2] / points[:, 2:] * scale + centre - case.pixels) / height * CROP_HEIGHT).ravel()

    found = least_squares(residuals, start, x_scale=[0.1, 0.1, 0.1, 0.1, 0.1, 1.0], method="trf").x
    return replace(case.params, global_orient=orient(found), transl=found[3:] - rest)


def _random_camera(rng: np.random.Generator) -> Camera:
    width, height = [(640, 480), (1280, 720), (1920, 1080), (1080, 1920), (1280, 960)][rng.integers(5)]
    focal = rng.uniform(0.5, 1.6) * max(width, height)
    middle = np.array([width, height]) * rng.uniform(0.47, 0.53, 2)
    k = np.array([[focal, 0, middle[0]], [0, focal * rng.uniform(0.99, 1.01), middle[1]], [0, 0, 1]])
    model = ["", *DISTORTIONS][rng.integers(4)]
    return Camera(width, height, k, np.array(DISTORTIONS.get(model, [])), model or "plumb_bob")


def _placed(rng: np.random.Generator, body: BodyModel, camera: Camera, off_axis: tuple[float, float]) -> Case | None:
    """Draw a person; None if not entirely in the image."""
    prior = PosePrior.standard()
    pose = rng.normal(prior.mean, 0.7 / np.sqrt(np.maximum(prior.precision, 1e-2))).clip(prior.low, prior.high)
    rotvecs = np.zeros((22, 3))
    rotvecs[prior.joints] = pose
    pitch, yaw = rng.uniform(-0.4, 0.4), rng.uniform(-np.pi, np.pi)
    upright = Rotation.from_rotvec([pitch, 0, 0]) * Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_euler("y", yaw)
    angle, direction, distance = rng.uniform(*off_axis), rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 8)
    ray = np.array([np.tan(angle) * np.cos(direction), np.tan(angle) * np.sin(direction), 1.0])
    pelvis = distance * ray / np.linalg.norm(ray)
    params = replace(
        SmplxParams.rest(),
        global_orient=upright.as_rotvec(),
        body_pose=rotvecs[1:].ravel(),
        betas=rng.normal(0, 0.7, 10),
    )
    params = replace(params, transl=pelvis - body.rest_joints(params.betas)[0, 0])
    points = body.landmarks144(params)[0]
    if points[:, 2].min() < 0.3:
        return None
    pixels = camera.project(points)
    if not (
        np.isfinite(pixels).all() and (pixels >= 2).all() and (pixels <= [camera.width - 3, camera.height - 3]).all()
    ):
        return None
    if np.abs(camera.normalize(pixels) - points[:, :2] / points[:, 2:]).max() > 1e-3:
        return None  # outside the invertible range of the lens model
    box = Box(*pixels.min(axis=0), *pixels.max(axis=0))
    region = crop_box(box, camera.width, camera.height, BOX_RATIO)
    return None if region is None else Case(camera, params, body.joints(params)[0], pixels[:55], box, region, angle)
