"""HumanData files: written and read back, in all their variants, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smplerx_ros.body.skeleton import JOINTS_137
from smplerx_ros.errors import InputError
from smplerx_ros.research.evaluation.humandata import (
    HUMANDATA_137,
    HumanData,
    Keypoints,
    read_humandata,
    write_humandata,
)
from smplerx_ros.types import PARAM_SIZES

N = 3


def people(rng: np.random.Generator, count: int = N) -> HumanData:
    """Random people with everything that a file can hold."""
    mask = np.ones(144, bool)
    mask[[3, 6, 143]] = False
    points = rng.normal(size=(count, 144, 3)).astype(np.float32) * mask[:, None]
    confidence = np.ones((count, 144), np.float32) * mask
    return HumanData(
        image_paths=tuple(f"images/{i}.png" for i in range(count)),
        boxes=np.column_stack([rng.uniform(0, 99, (count, 4)), np.ones(count)]).astype(np.float32),
        params={name: rng.normal(size=(count, size)).astype(np.float32) * 0.5 for name, size in PARAM_SIZES.items()},
        genders=("female", "male", "neutral")[:count],
        keypoints2d=Keypoints(points[..., :2], confidence, mask),
        keypoints3d=Keypoints(points, confidence, mask),
        left_hand_boxes=rng.uniform(0, 99, (count, 5)).astype(np.float32),
        face_boxes=rng.uniform(0, 99, (count, 5)).astype(np.float32),
        image_sizes=np.full((count, 2), (480, 640)),
        intrinsics=rng.uniform(1, 999, (count, 4)),
    )


def minimal(count: int = 2) -> dict[str, Any]:
    return {"image_path": np.array(["a.png", "b.png"][:count]), "bbox_xywh": np.ones((count, 5), np.float32)}


def saved(path: Path, entries: dict[str, Any]) -> Path:
    np.savez(path, **entries)
    return path


@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_written_is_read(tmp_path: Path, compressed: bool) -> None:
    data = people(np.random.default_rng(0))
    write_humandata(tmp_path / "set.npz", data, compressed=compressed)
    back = read_humandata(tmp_path / "set.npz")
    assert back.image_paths == data.image_paths
    assert back.genders == data.genders
    np.testing.assert_array_equal(back.boxes, data.boxes)
    for name, value in data.params.items():
        np.testing.assert_array_equal(back.params[name], value)
    for name in ("left_hand_boxes", "face_boxes", "image_sizes", "intrinsics"):
        np.testing.assert_array_equal(getattr(back, name), getattr(data, name))
    assert back.right_hand_boxes is None
    for one, other in ((back.keypoints2d, data.keypoints2d), (back.keypoints3d, data.keypoints3d)):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.confidence, other.confidence)
        np.testing.assert_array_equal(one.mask, other.mask)


def test_compressed_key_points_hold_only_what_is_annotated(tmp_path: Path) -> None:
    write_humandata(tmp_path / "set.npz", people(np.random.default_rng(0)))
    with np.load(tmp_path / "set.npz", allow_pickle=False) as npz:
        assert npz["keypoints2d"].shape == (N, 141, 3)
        assert npz["keypoints3d"].shape == (N, 141, 4)
        assert bool(npz["__keypoints_compressed__"])


def test_numpy_reads_the_pickled_dictionaries(tmp_path: Path) -> None:
    data = people(np.random.default_rng(0))
    write_humandata(tmp_path / "set.npz", data)
    with np.load(tmp_path / "set.npz", allow_pickle=True) as npz:
        np.testing.assert_array_equal(npz["smplx"].item()["body_pose"], data.params["body_pose"])
        assert npz["meta"].item()["height"] == [480] * N


def test_poses_per_joint_are_flattened_and_missing_ones_are_none(tmp_path: Path) -> None:
    body = {"global_orient": np.ones((2, 1, 3)), "body_pose": np.ones((2, 21, 3)), "betas": np.ones((2, 16))}
    data = read_humandata(saved(tmp_path / "set.npz", {**minimal(), "smplx": body}))
    params = data.smplx_params()
    assert params.global_orient.shape == (2, 3)
    assert params.body_pose.shape == (2, 63)
    np.testing.assert_array_equal(params.betas, np.ones((2, 10)))
    np.testing.assert_array_equal(params.left_hand_pose, 0)


def test_smplx_is_taken_before_smpl(tmp_path: Path) -> None:
    body = {"global_orient": np.ones((2, 3)), "body_pose": np.ones((2, 63)), "betas": np.ones((2, 10))}
    other = {"global_orient": np.zeros((2, 3)), "body_pose": np.zeros((2, 69)), "betas": np.zeros((2, 10))}
    data = read_humandata(saved(tmp_path / "set.npz", {**minimal(), "smpl": other, "smplx": body}))
    assert data.family == "smplx"
    np.testing.assert_array_equal(data.params["global_orient"], 1)
    asked = read_humandata(tmp_path / "set.npz", ["smpl"])
    assert asked.family == "smpl"
    np.testing.assert_array_equal(asked.params["global_orient"], 0)


def test_betas_of_another_family_mean_nothing(tmp_path: Path) -> None:
    body = {"global_orient": np.ones((2, 3)), "body_pose": np.ones((2, 23, 3)), "betas": np.ones((2, 10))}
    data = read_humandata(saved(tmp_path / "set.npz", {**minimal(), "smpl": body}))
    assert data.family == "smpl"
    params = data.smplx_params()
    np.testing.assert_array_equal(params.betas, 0)
    np.testing.assert_array_equal(params.body_pose, 1)


def test_failed_shapes_are_reset_and_neutral_betas_preferred() -> None:
    data = people(np.random.default_rng(0))
    betas = np.zeros((N, 10), np.float32)
    betas[1, 4] = -3.5
    betas[2, 4] = 2.5
    neutral = np.full((N, 10), 0.25, np.float32)
    gendered = HumanData(data.image_paths, data.boxes, {**data.params, "betas": betas, "betas_neutral": neutral})
    np.testing.assert_array_equal(gendered.smplx_params().betas, neutral)
    kept = gendered.smplx_params(neutral=False).betas
    assert not kept[1].any()
    assert kept[2, 4] == 2.5


def test_eyes_are_at_rest() -> None:
    assert not people(np.random.default_rng(0)).smplx_params().leye_pose.any()


@pytest.mark.parametrize("first", ["keypoints3d_cam", "keypoints3d", "keypoints3d_smplx", "keypoints3d_smpl"])
def test_key_points_by_preference(tmp_path: Path, first: str) -> None:
    entries = {**minimal(), first: np.ones((2, 190, 4)), "keypoints3d_original": np.zeros((2, 190, 4))}
    keypoints = read_humandata(saved(tmp_path / "set.npz", entries)).keypoints3d
    assert keypoints is not None
    np.testing.assert_array_equal(keypoints.points, 1)


def test_a_mask_of_its_own_before_the_general_one(tmp_path: Path) -> None:
    own, general = np.zeros(144), np.ones(144)
    own[7] = 1
    entries = {**minimal(), "keypoints2d_smplx": np.ones((2, 144, 3)), "keypoints2d_mask": general}
    both = {**entries, "keypoints2d_smplx_mask": own}
    for given, expected in ((entries, 144), (both, 1)):
        keypoints = read_humandata(saved(tmp_path / "set.npz", given)).keypoints2d
        assert keypoints is not None
        assert keypoints.valid.sum() == 2 * expected


@pytest.mark.parametrize("count", [144, 190])
def test_lists_are_mapped_to_the_137(count: int) -> None:
    points = np.repeat(np.arange(count, dtype=float)[None, :, None], 3, axis=2)
    mapped = Keypoints(points, np.ones((1, count)), np.ones(count, bool)).joints_137()
    assert mapped.points.shape == (1, 137, 3)
    np.testing.assert_array_equal(mapped.points[0, :65, 0], JOINTS_137[:65])
    np.testing.assert_array_equal(mapped.points[0, 65:69, 0], [22, 15, 56, 57])
    assert mapped.joints_137() is mapped
    assert sorted(HUMANDATA_137) == sorted(JOINTS_137)


def test_an_unknown_list_of_key_points_is_refused() -> None:
    with pytest.raises(InputError, match="a list of 17"):
        Keypoints(np.zeros((1, 17, 2)), np.zeros((1, 17)), np.ones(17, bool)).joints_137()


def test_selected_people_keep_their_rows() -> None:
    data = people(np.random.default_rng(0))
    some = data.select([2, 0])
    assert some.image_paths == (data.image_paths[2], data.image_paths[0])
    np.testing.assert_array_equal(some.params["betas"], data.params["betas"][[2, 0]])
    assert some.keypoints2d is not None
    assert data.keypoints2d is not None
    np.testing.assert_array_equal(some.keypoints2d.points, data.keypoints2d.points[[2, 0]])


def test_sizes_in_a_list_of_dictionaries(tmp_path: Path) -> None:
    meta = np.array([{"height": 4, "width": 5}, {"height": 6, "width": 7, "more": 1}], object)
    data = read_humandata(saved(tmp_path / "set.npz", {**minimal(), "meta": meta}))
    np.testing.assert_array_equal(data.image_sizes, [[4, 5], [6, 7]])


def test_what_is_said_once_is_everybodys_and_notes_are_passed_over(tmp_path: Path) -> None:
    entries = {
        "smplx": {"body_pose": np.ones((2, 63)), "source": "a fit", "files": np.array(["a", "b"])},
        "meta": {"height": 480, "width": 640, "gender": "female"},
        "misc": {"focal_length": 500.0, "principal_point": np.array([[320.0, 240], [310, 250]]), "unit": "pixels"},
    }
    data = read_humandata(saved(tmp_path / "set.npz", {**minimal(), **entries}))
    assert set(data.params) == {"body_pose"}
    assert data.genders == ("female", "female")
    np.testing.assert_array_equal(data.image_sizes, [[480, 640]] * 2)
    np.testing.assert_array_equal(data.intrinsics, [[500, 500, 320, 240], [500, 500, 310, 250]])


@pytest.mark.parametrize(
    "misc",
    [
        {"focal_length": np.ones(3), "principal_point": np.ones((2, 2))},
        {"focal_length": "unknown", "principal_point": np.ones((2, 2))},
        {"focal_length": np.ones((2, 2))},
    ],
)
def test_intrinsics_that_are_not_known_for_everybody_are_none(tmp_path: Path, misc: dict[str, Any]) -> None:
    assert read_humandata(saved(tmp_path / "set.npz", {**minimal(), "misc": misc})).intrinsics is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"image_path": np.array(["a"])}, "bbox_xywh is missing"),
        ({**minimal(), "bbox_xywh": np.ones((2, 3))}, "bbox_xywh: boxes have shape"),
        ({**minimal(), "bbox_xywh": np.ones((3, 4))}, r"set\.npz: HumanData\.boxes: 3 rows for 2 people"),
        ({**minimal(), "smplx": {"global_orient": np.ones((3, 3))}}, "global_orient has no row"),
        ({**minimal(), "smplx": {"global_orient": np.ones((4, 3))}}, "global_orient has no row"),  # not two of 6 values
        ({**minimal(), "smplx": np.ones(3)}, "smplx is ndarray, expected a dictionary"),
        ({**minimal(), "keypoints2d": np.ones((2, 9, 5))}, "keypoints2d has shape"),
        ({**minimal(), "keypoints2d": np.ones((2, 9, 3)), "keypoints2d_mask": np.ones(8)}, "keypoints2d_mask has 8"),
        ({**minimal(), "keypoints2d": np.ones(4)}, r"keypoints2d has shape \(4,\)"),
        ({**minimal(), "keypoints2d": np.array([None, "x"], object)}, "keypoints2d has shape .* of object"),
        ({**minimal(), "keypoints2d": np.ones((2, 141, 3)), "__keypoints_compressed__": True}, "no mask says"),
        ({**minimal(), "meta": {"gender": ["f"] * 3}}, r"set\.npz: HumanData\.genders: 3 rows"),
    ],
)
def test_damaged_files_name_what_is_wrong(tmp_path: Path, entries: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_humandata(saved(tmp_path / "set.npz", entries))


def test_a_missing_file_and_one_that_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_humandata(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match=r"not a readable \.npz"):
        read_humandata(tmp_path / "text.npz")


@pytest.mark.parametrize("kind", ["S", "O"])
def test_paths_that_were_stored_as_bytes_are_paths(tmp_path: Path, kind: str) -> None:
    paths = np.array([b"a.png", "images/\xe9.png".encode()], kind)
    file = saved(tmp_path / "data.npz", minimal() | {"image_path": paths})
    assert read_humandata(file).image_paths == ("a.png", "images/\xe9.png")
