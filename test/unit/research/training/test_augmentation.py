"""A turned, mirrored crop and its targets still speak of the same person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smplerx_ros.backbones.smpler_x.prediction import ROTATIONS  # noqa: E402
from smplerx_ros.body import BodyModel  # noqa: E402
from smplerx_ros.body.skeleton import JOINT_NAMES, JOINTS_137  # noqa: E402
from smplerx_ros.geometry.crops import crop  # noqa: E402
from smplerx_ros.research.training.augmentation import MIRRORED_137, MIRRORED_ROTATIONS, Augmentation  # noqa: E402
from smplerx_ros.research.training.dataset import PersonDataset, TrainingSamples  # noqa: E402
from smplerx_ros.research.training.targets import DEPTH_EXTENT_M, PARTS, Annotation, targets  # noqa: E402
from smplerx_ros.types import SmplxParams  # noqa: E402
from support.bodies import standin  # noqa: E402

TURNED = Augmentation(scale=1.1, rotation=0.4)
MIRRORED = Augmentation(flip=True)
BOTH = Augmentation(scale=0.9, rotation=-0.3, flip=True)
CASES = pytest.mark.parametrize("augmentation", [Augmentation(), TURNED, MIRRORED, BOTH])


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return standin()


@pytest.fixture(scope="module")
def people(rendered: Path, body: BodyModel) -> PersonDataset:
    return PersonDataset(rendered / "a" / "humandata.npz", rendered / "a", body)


def posed(rotvecs: np.ndarray, annotation: Annotation) -> SmplxParams:
    parts = {name: rotvecs[rows].ravel() for name, rows in ROTATIONS.items()}
    return replace(SmplxParams.rest(), **parts, betas=annotation.betas, expression=annotation.expression)


def test_counterparts_are_an_involution_that_keeps_parts() -> None:
    for order in (MIRRORED_137, MIRRORED_ROTATIONS):
        assert (order[order] == np.arange(len(order))).all()
    assert (MIRRORED_137[25:45] == np.arange(45, 65)).all()
    assert set(MIRRORED_137[65:]) == set(range(65, 137))
    names = [JOINT_NAMES[JOINTS_137[i]] for i in range(14)]
    assert names[MIRRORED_137[names.index("left_elbow")]] == "right_elbow"
    assert MIRRORED_137[names.index("pelvis")] == names.index("pelvis")


def test_counterparts_lie_on_the_other_side_of_the_body(body: BodyModel) -> None:
    joints = body.landmarks137(SmplxParams.rest())[0]
    assert np.abs(joints[MIRRORED_137] * [-1, 1, 1] - joints).max() < 0.006  # faces are not quite symmetric


@CASES
def test_pose_and_joints_are_augmented_alike(
    people: PersonDataset, body: BodyModel, augmentation: Augmentation
) -> None:
    """Posing the body with the augmented pose gives the augmented joints, from the pelvis."""
    for row in range(3):
        annotation = people.annotation(row, 96, 96)
        annotation = replace(annotation, betas=np.zeros(10), expression=np.zeros(10))
        joints = body.landmarks137(posed(annotation.rotvecs, annotation))[0][:65]
        expected = augmentation.joints(np.pad(joints, ((0, 72), (0, 0))))[:65]
        found = body.landmarks137(posed(augmentation.pose(annotation.rotvecs), annotation))[0][:65]
        assert np.abs((found - found[0]) - (expected - expected[0])).max() < 0.012


@CASES
def test_image_and_points_move_together(augmentation: Augmentation) -> None:
    """A dot in the image is found at its target cell."""
    image = np.zeros((200, 160, 3), np.uint8)
    region = np.array([30.0, 20, 90, 120], np.float32)
    point = np.array([82.0, 71.0])
    cv2.circle(image, (82, 71), 3, (255, 255, 255), -1)
    matrix = augmentation.crop_from_image(region)
    warped = cv2.warpAffine(image, matrix, (192, 256))[..., 0].astype(float)
    rows, columns = np.indices(warped.shape)
    centre = np.array([(warped * columns).sum(), (warped * rows).sum()]) / warped.sum()
    np.testing.assert_allclose(matrix @ [*point, 1], centre, atol=0.3)


def test_without_augmentation_the_crop_is_the_runtimes(people: PersonDataset) -> None:
    image, _ = people.crop(0, Augmentation())
    picture = cv2.imread(str(people.images / people.data.image_paths[0]))[:, :, ::-1]
    expected = crop(picture, people.annotation(0, 96, 96).region)
    assert np.abs(image.transpose(1, 2, 0) * 255 - expected).max() <= 0.51  # rounded to whole grey levels


@CASES
def test_projected_targets_agree_with_the_turned_camera(people: PersonDataset, augmentation: Augmentation) -> None:
    """Heat-map cells of mirrored joints are those of the mirrored picture: left is left."""
    annotation = people.annotation(1, 96, 96)
    found = targets(annotation, augmentation)
    matrix = augmentation.crop_from_image(annotation.region)
    for place, source in enumerate(augmentation.order[:65]):
        expected = (matrix @ [*annotation.points2d[source], 1]) / 16
        np.testing.assert_allclose(found["joints_img"][place, :2], expected, atol=1e-4)
    depth = augmentation.joints(annotation.points3d)[:, 2]
    for (part, root), extent in zip(PARTS, DEPTH_EXTENT_M, strict=True):
        bins = ((depth[part] - depth[root]) / (extent / 2) + 1) / 2 * 16
        np.testing.assert_allclose(found["joints_img"][part, 2], bins, atol=1e-4)


def test_boxes_follow_their_hands(people: PersonDataset) -> None:
    annotation = people.annotation(2, 96, 96)
    plain, mirrored = targets(annotation, Augmentation()), targets(annotation, MIRRORED)
    np.testing.assert_allclose(mirrored["box_centers"][[1, 0, 2], 1], plain["box_centers"][:, 1], atol=1e-4)
    np.testing.assert_allclose(mirrored["box_centers"][[1, 0, 2], 0], 12 - plain["box_centers"][:, 0], atol=1e-4)
    np.testing.assert_allclose(mirrored["box_sizes"][[1, 0, 2]], plain["box_sizes"], atol=1e-4)
    turned = targets(annotation, Augmentation(rotation=np.pi / 2))
    np.testing.assert_allclose(turned["box_sizes"][:, ::-1], plain["box_sizes"], atol=1e-4)


def test_targets_outside_are_not_asked_for(people: PersonDataset) -> None:
    annotation = people.annotation(0, 96, 96)
    far = annotation.points2d.copy()
    far[3] = [1e4, 1e4]
    deep = annotation.points3d.copy()
    deep[5, 2] += 1.5  # beyond the 2 m of the body's bins
    unknown = annotation.points3d_valid.copy()
    unknown[7] = False  # the neck, root of the face
    changed = replace(annotation, points2d=far, points3d=deep, points3d_valid=unknown)
    found = targets(changed, Augmentation())
    assert not found["joints_img_valid"][3].any()
    assert not found["joints_img_valid"][5].any()
    assert not found["joints_img_valid"][65:, 2].any()
    assert found["joints_img_valid"][65:, :2].any()  # in the picture they are known all the same
    assert not found["joints_cam_valid"][7]
    assert found["joints_cam_valid"][8]


def test_samples_are_random_but_the_same_for_the_same_key(people: PersonDataset) -> None:
    samples = TrainingSamples([people], seed=3)
    first, again, other = samples[0, 5, 0, 2], samples[0, 5, 0, 2], samples[1, 5, 0, 2]
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["image"] != other["image"]).any()
    assert first["image"].shape == (3, 256, 192)
    assert 0 <= first["image"].min() <= first["image"].max() <= 1


def test_what_is_kept_is_read_once_and_the_same_to_the_bit(
    people: PersonDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (0, 5, 0, 2)
    plain = TrainingSamples([people], seed=3, augment=False)[key]
    np.testing.assert_array_equal(plain["image"], people.crop(2, Augmentation())[0])
    samples = TrainingSamples([people], seed=3, augment=False, keep=True)
    samples[key]
    monkeypatch.setattr(PersonDataset, "crop", lambda *_: pytest.fail("read again"))
    again = samples[1, 0, 0, 2]  # another epoch
    assert all((again[name] == plain[name]).all() for name in plain)


def test_random_augmentation_stays_in_its_limits() -> None:
    drawn = [Augmentation.random(np.random.default_rng(seed)) for seed in range(500)]
    assert min(a.scale for a in drawn) >= 0.75
    assert max(a.scale for a in drawn) <= 1.25
    assert max(abs(a.rotation) for a in drawn) <= np.radians(60) + 1e-9
    assert np.mean([a.rotation == 0 for a in drawn]) == pytest.approx(0.4, abs=0.07)
    assert np.mean([a.flip for a in drawn]) == pytest.approx(0.5, abs=0.07)
    colors = np.stack([a.color for a in drawn])
    assert colors.min() >= 0.8
    assert colors.max() <= 1.2
