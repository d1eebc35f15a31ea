"""The networks as the estimator's backbone: from crops' cameras into real ones, one bad answer at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.backbones.smpler_x.estimation import NetworkBackbone
from smplerx_ros.backbones.smpler_x.model import Model
from smplerx_ros.body import BodyModel
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.crops import crop_box, optical_from_crop, virtual_camera
from smplerx_ros.pipeline.localization.persons import build_persons
from smplerx_ros.types import PARAM_SIZES, BodyEstimate, Frame, Observation
from support.bodies import standin

ORIENT = np.array([np.pi, 0.0, 0.0])  # upright, facing the camera
ARMS_DOWN = {"left_shoulder": [0.0, 0.0, -1.2], "right_shoulder": [0.0, 0.0, 1.2]}
POSE = {0: ORIENT} | {JOINT_INDEX[name]: np.array(rotvec) for name, rotvec in ARMS_DOWN.items()}
EYES = {"leye_pose", "reye_pose"}
RAW_CAMERA = (0.05, -0.1, 0.5)  # a person who fills the crop
BOX = Box(250, 100, 370, 400, score=0.7)
EYE_JOINTS = [23, 24]
ESTIMATED_BY_NETWORKS = 1 + 2 + 4 + 8 + 16 + 128 + 256 + 512  # SmplxParams.msg: neither eyes nor depth


class FakeNetwork:
    """Answers every crop with the same upright person; the colours of a crop's middle become its first betas."""

    provider = "cpu"

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.more: dict[str, Any] = {}  # outputs that not every network has
        self.broken: dict[int, tuple[str, float]] = {}  # row of the batch: which output becomes which number

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        images = inputs["image"]
        self.sizes.append(len(images))
        turned = np.tile(np.eye(3)[:, :2].ravel(), (len(images), 53, 1))
        for joint, rotvec in POSE.items():
            turned[:, joint] = Rotation.from_rotvec(rotvec).as_matrix()[:, :2].ravel()
        betas = np.zeros((len(images), 10))
        betas[:, :3] = images[:, 128, 96] / 255
        outputs = self.more | {
            "pose_6d": turned,
            "betas": betas,
            "expression": np.zeros((len(images), 10)),
            "camera": np.tile(RAW_CAMERA, (len(images), 1)),
        }
        outputs = {name: np.array(value[: len(images)]) for name, value in outputs.items()}
        for row, (name, value) in self.broken.items():
            outputs[name][row, -1] = value
        return {name: value.astype(np.float32) for name, value in outputs.items()}


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return standin()


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def model(network: FakeNetwork) -> Model:
    return Model(BACKBONES["s32"], network, "torch", "fp32")


@pytest.fixture
def backbone(model: Model, body: BodyModel) -> NetworkBackbone:
    return NetworkBackbone(model, body)


PINHOLE = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
WIDE = Camera(640, 480, np.array([[420.0, 0, 300], [0, 425, 250], [0, 0, 1]]), np.array([-0.2, 0.05, 1e-3, -1e-3, 0]))
# 164 degrees from corner to corner.
FISHEYE = Camera(
    640,
    480,
    np.array([[280.0, 0, 320], [0, 280, 240], [0, 0, 1]]),
    np.array([0.01, -0.002, 1e-3, -2e-4]),
    "equidistant",
)
CAMERAS = {"pinhole": PINHOLE, "plumb_bob": WIDE, "equidistant": FISHEYE}


def seen(camera: Camera, box: Box = BOX, blue: int = 0, name: str = "p1") -> Observation:
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    image[..., 2] = blue
    return Observation(Frame(image, camera, 5, "camera"), name, box)


def found(answers: list[BodyEstimate | None]) -> list[BodyEstimate]:
    assert None not in answers
    return [answer for answer in answers if answer is not None]


def region_of(observation: Observation) -> Any:
    return crop_box(observation.box, 640, 480, BACKBONES["s32"].box_ratio)


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("x", [120, 310, 520])
def test_a_person_is_where_the_crop_shows_them(
    backbone: NetworkBackbone, model: Model, body: BodyModel, camera: Camera, x: float
) -> None:
    observation = seen(camera, Box(x - 60, 90, x + 60, 390))
    (estimate,) = found(backbone.estimate([observation]))
    joints = body.joints(estimate.params)[0]
    answered = body.joints(model.predict(np.zeros((1, 256, 192, 3), np.uint8)).params)[0]
    k = virtual_camera(region_of(observation))
    expected = answered[:, :2] / answered[:, 2:] * k[[0, 1], [0, 1]] + k[:2, 2]
    apart = np.linalg.norm(camera.project(joints) - expected, axis=1)
    # Shares of the person's 300 pixels. The fisheye looks from 1 m, where near and far parts differ most.
    assert apart[0] < 0.02 * 300, "pelvis"
    assert apart.mean() < 0.03 * 300
    assert 0.9 < joints[0, 2] < 3


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_orientation_turns_with_the_line_of_sight(backbone: NetworkBackbone, camera: Camera) -> None:
    observation = seen(camera, Box(500, 60, 620, 380))
    (estimate,) = found(backbone.estimate([observation]))
    turn = optical_from_crop(region_of(observation), camera)
    assert Rotation.from_matrix(turn).magnitude() > 0.3
    expected = turn @ Rotation.from_rotvec(ORIENT).as_matrix()
    np.testing.assert_allclose(Rotation.from_rotvec(estimate.params.global_orient).as_matrix(), expected, atol=1e-5)


def test_what_an_estimate_says(backbone: NetworkBackbone) -> None:
    (estimate,) = found(backbone.estimate([seen(PINHOLE, BOX)]))
    assert estimate.score == BOX.score
    assert int(estimate.params.estimated) == ESTIMATED_BY_NETWORKS
    assert np.isnan(estimate.params.leye_pose).all()
    assert np.isnan(np.delete(estimate.confidence, EYE_JOINTS)).all()  # the network has no heat maps
    np.testing.assert_array_equal(estimate.confidence[EYE_JOINTS], 0)
    assert (backbone.name, backbone.runtime) == ("s32", "cpu fp32")
    assert not backbone.confirms_people


def test_confidence_is_that_of_the_heat_maps_and_of_what_is_in_the_image(
    backbone: NetworkBackbone, network: FakeNetwork, body: BodyModel
) -> None:
    network.more = {"joint_spread": np.tile(np.linspace(0, 3, 65), (2, 1))}
    observations = [seen(PINHOLE, BOX), seen(PINHOLE, Box(520, 300, 700, 750), name="p2")]
    estimates = found(backbone.estimate(observations))
    inside, leaving = build_persons(body, observations, estimates, None)
    assert inside is not None
    assert leaving is not None
    np.testing.assert_array_equal(inside.confidence, estimates[0].confidence)
    assert (
        np.diff(inside.confidence[[JOINT_INDEX[n] for n in ("pelvis", "left_hip", "neck", "left_wrist")]]) < 0
    ).all()
    outside = ((leaving.joints_image < -0.5) | (leaving.joints_image > (639.5, 479.5))).any(axis=1)
    assert 10 < outside.sum() < 50
    np.testing.assert_array_equal(leaving.confidence[outside], 0)
    np.testing.assert_array_equal(leaving.confidence[~outside], estimates[1].confidence[~outside])


def test_outside_the_image_nothing_is_seen_and_inside_nothing_is_known(
    backbone: NetworkBackbone, body: BodyModel
) -> None:
    observation = seen(PINHOLE, Box(520, 300, 700, 750))
    (person,) = build_persons(body, [observation], backbone.estimate([observation]), None)
    assert person is not None
    outside = ((person.joints_image < -0.5) | (person.joints_image > (639.5, 479.5))).any(axis=1)
    assert outside.any()
    np.testing.assert_array_equal(person.confidence[outside], 0)
    outside[EYE_JOINTS] = True
    assert np.isnan(person.confidence[~outside]).all()


@pytest.mark.parametrize(("height", "share"), [(None, 0.071), (1.7, 0.045)])
def test_a_network_claims_no_measured_distance(
    model: Model, body: BodyModel, height: float | None, share: float
) -> None:
    (person,) = build_persons(
        body, [seen(PINHOLE)], NetworkBackbone(model, body, height).estimate([seen(PINHOLE)]), height
    )
    assert person is not None
    ray = person.joints[0] / np.linalg.norm(person.joints[0])
    along = np.sqrt(ray @ person.pose_covariance[:3, :3] @ ray) / np.linalg.norm(person.joints[0])
    assert along == pytest.approx(share, abs=0.001)


def test_one_batch_over_the_frames_of_all_cameras(backbone: NetworkBackbone, network: FakeNetwork) -> None:
    observations = [
        seen(camera, Box(x, 100, x + 120, 400), blue, f"p{blue}")
        for camera, x, blue in ((PINHOLE, 20, 10), (FISHEYE, 20, 90), (PINHOLE, 440, 170), (FISHEYE, 440, 250))
    ]
    together = found(backbone.estimate(observations))
    assert network.sizes == [4]
    for observation, estimate, blue in zip(observations, together, (10, 90, 170, 250), strict=True):
        assert estimate.params.betas[2] == pytest.approx(blue / 255, abs=1e-5)
        (alone,) = found(backbone.estimate([observation]))
        np.testing.assert_allclose(alone.params.transl, estimate.params.transl, atol=1e-5)
        np.testing.assert_allclose(alone.params.global_orient, estimate.params.global_orient, atol=1e-5)
    assert together[0].params.transl[0] < 0 < together[2].params.transl[0]


def test_nobody(backbone: NetworkBackbone, network: FakeNetwork) -> None:
    assert backbone.estimate([]) == []
    assert network.sizes == []


def test_a_box_outside_the_image_has_no_answer(backbone: NetworkBackbone, network: FakeNetwork) -> None:
    right, left, above, edge = Box(700, 1, 800, 300), Box(-90, 1, -5, 300), Box(9, -99, 99, 0), Box(639.5, 9, 800, 300)
    answers = backbone.estimate([seen(PINHOLE, box) for box in (right, BOX, left, above, edge)])
    assert [answer is None for answer in answers] == [True, False, True, True, True]
    assert network.sizes == [1]
    assert backbone.estimate([seen(PINHOLE, right)]) == [None]


def test_a_person_who_leaves_is_looked_for_where_they_are(backbone: NetworkBackbone) -> None:
    """Not in a box moved back into the image, which would hold somebody at its edge for ever."""
    for box in (Box(-100, 100, 20, 400), Box(620, 100, 740, 400)):
        (estimate,) = found(backbone.estimate([seen(PINHOLE, box)]))
        pixel = PINHOLE.project(estimate.params.transl)
        assert abs(abs(pixel[0] - 320) - 310) < 30


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("output", ["pose_6d", "betas", "expression", "camera"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_answer_that_is_not_finite_is_dropped_alone(
    backbone: NetworkBackbone, network: FakeNetwork, camera: Camera, output: str, value: float
) -> None:
    observations = [seen(camera, BOX, name=f"p{i}") for i in range(3)]
    network.broken = {1: (output, value)}
    first, second, third = backbone.estimate(observations)
    assert first is not None
    assert third is not None
    np.testing.assert_array_equal(first.params.transl, third.params.transl)
    if second is not None:  # a raw camera of infinity may stand for a limit that is a place
        assert all(np.isfinite(getattr(second.params, name)).all() for name in set(PARAM_SIZES) - EYES)


def test_more_people_than_a_batch_holds(backbone: NetworkBackbone, network: FakeNetwork) -> None:
    observations = [seen(PINHOLE, Box(20 * i, 100, 20 * i + 120, 400), 10 * i, f"p{i}") for i in range(17)]
    estimates = found(backbone.estimate(observations))
    assert network.sizes == [16, 1]
    np.testing.assert_allclose([e.params.betas[2] for e in estimates], 10 * np.arange(17) / 255, atol=1e-5)
    assert (np.diff([e.params.transl[0] for e in estimates]) > 0).all()


@pytest.mark.parametrize("height", [1.2, 1.65, 1.95])
def test_a_given_height_scales_size_and_distance(model: Model, body: BodyModel, height: float) -> None:
    (unknown,) = found(NetworkBackbone(model, body).estimate([seen(PINHOLE)]))
    (known,) = found(NetworkBackbone(model, body, height).estimate([seen(PINHOLE)]))
    ratio = height / float(body.stature(unknown.params.betas)[0])
    before, after = body.joints(unknown.params)[0], body.joints(known.params)[0]
    np.testing.assert_allclose(after[0], ratio * before[0], rtol=1e-4)
    assert float(body.stature(known.params.betas)[0]) == pytest.approx(height, abs=0.04)
    moved = np.linalg.norm(PINHOLE.project(after[:22]) - PINHOLE.project(before[:22]), axis=1)
    assert moved.max() < 0.05 * np.ptp(PINHOLE.project(before)[:, 1])
