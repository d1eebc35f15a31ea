"""What annotations lack, or what is no number in them, is not asked for; what cannot be cropped is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smplerx_ros.body import BodyModel  # noqa: E402
from smplerx_ros.errors import InputError  # noqa: E402
from smplerx_ros.research.evaluation.humandata import (  # noqa: E402
    HumanData,
    Keypoints,
    read_humandata,
    write_humandata,
)
from smplerx_ros.research.training.augmentation import Augmentation  # noqa: E402
from smplerx_ros.research.training.dataset import PersonDataset  # noqa: E402
from smplerx_ros.research.training.trainer import Trainer  # noqa: E402
from support.bodies import standin  # noqa: E402


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return standin()


@pytest.fixture
def people(rendered: Path, body: BodyModel, tmp_path: Path) -> Callable[..., PersonDataset]:
    """The rendered people with some of their annotations changed."""

    def make(**changes: Any) -> PersonDataset:
        write_humandata(tmp_path / "changed.npz", replace(read_humandata(rendered / "a" / "humandata.npz"), **changes))
        return PersonDataset(tmp_path / "changed.npz", rendered / "a", body)

    return make


@pytest.fixture
def data(rendered: Path) -> HumanData:
    return read_humandata(rendered / "a" / "humandata.npz")


def targets(people: PersonDataset, row: int = 0) -> dict[str, np.ndarray]:
    return people.crop(row, Augmentation())[1]


def test_numbers_that_are_none_are_not_asked_for(people: Callable[..., PersonDataset], data: HumanData) -> None:
    params = {name: value.copy() for name, value in data.params.items()}
    params["body_pose"][0, 5] = np.nan
    params["expression"][1, 2] = np.nan
    assert data.keypoints3d is not None
    points = data.keypoints3d.points.copy()
    points[1, 9] = np.nan
    changed = people(params=params, keypoints3d=replace(data.keypoints3d, points=points))
    whole = people()
    for row in range(2):
        assert all(np.isfinite(value).all() for value in targets(changed, row).values())
    first, second = targets(changed), targets(changed, 1)
    assert not first["fit_cam_valid"].any()
    assert first["pose_valid"].tolist() == [1] * 3 + [0] * 63 + [1] * 93
    assert second["fit_cam_valid"][:65].all()
    assert not second["fit_cam_valid"][65:].any()
    assert not second["expression_valid"].any()
    assert second["pose_valid"].all()
    assert targets(whole, 1)["joints_cam_valid"][9] == 1
    assert second["joints_cam_valid"][9] == 0


def test_what_a_file_lacks_is_not_asked_for(people: Callable[..., PersonDataset], data: HumanData) -> None:
    hands = {"left_hand_pose": data.params["left_hand_pose"]}
    for params in ({}, hands):  # a hand without an arm is at no known place
        found = targets(people(params=params, keypoints3d=None, left_hand_boxes=None))
        assert not any(
            found[f"{name}_valid"].any() for name in ("pose", "betas", "expression", "fit_cam", "joints_cam")
        )
        assert found["joints_img_valid"][..., :2].any()
        assert not found["joints_img_valid"][..., 2].any()
        assert not found["box_valid"][0]


def test_shapes_of_failed_fits_are_not_learned(people: Callable[..., PersonDataset], data: HumanData) -> None:
    betas = data.params["betas"].copy()
    betas[0, 3] = 4.0
    changed = people(params={**data.params, "betas": betas})
    assert not targets(changed)["betas_valid"].any()
    assert targets(changed, 1)["betas_valid"].all()


def test_bodies_of_another_family_give_pose_alone(people: Callable[..., PersonDataset]) -> None:
    found = targets(people(family="smpl"))
    assert found["pose_valid"].all()
    assert not found["betas_valid"].any()
    assert not found["expression_valid"].any()


def test_people_without_a_box_are_left_out(people: Callable[..., PersonDataset], data: HumanData) -> None:
    boxes = data.boxes.copy()
    boxes[0, 4], boxes[1, 2], boxes[2, 3], boxes[3, 0] = 0, 0, -5, np.nan
    hands = np.full((len(data), 5), np.nan, np.float32)
    changed = people(boxes=boxes, left_hand_boxes=hands)
    assert changed.data.image_paths == data.image_paths[4:]
    assert targets(changed)["box_valid"].ravel().tolist()[0] == 0
    assert np.isfinite(targets(changed)["box_centers"]).all()
    with pytest.raises(InputError, match=r"changed\.npz: nobody with a box"):
        people(boxes=np.zeros_like(boxes))


def test_a_box_outside_its_picture_is_named(people: Callable[..., PersonDataset], data: HumanData) -> None:
    boxes = data.boxes.copy()
    boxes[0, :2] = 9e3
    with pytest.raises(InputError, match=r"changed\.npz: the box of person 0 .* is outside its image"):
        targets(people(boxes=boxes))


def test_an_unknown_list_of_key_points_is_named(people: Callable[..., PersonDataset], data: HumanData) -> None:
    count = len(data)
    seventeen = Keypoints(np.ones((count, 17, 2)), np.ones((count, 17)), np.ones(17, bool))
    with pytest.raises(InputError, match=r"changed\.npz: keypoints: a list of 17"):
        people(keypoints2d=seventeen)


def test_a_training_on_damaged_annotations_goes_on(
    settings: Callable[..., Any], data: HumanData, tmp_path: Path
) -> None:
    params = {name: np.full_like(value, np.nan) for name, value in data.params.items()}
    write_humandata(tmp_path / "damaged.npz", replace(data, params=params))
    base = settings()
    sets = (replace(base.data.sets[0], annotations=str(tmp_path / "damaged.npz")),)
    seen: list[float] = []
    Trainer(replace(base, data=replace(base.data, sets=sets))).run(
        lambda step, steps, values: seen.append(values["total"]), until=2
    )
    assert np.isfinite(seen).all()
