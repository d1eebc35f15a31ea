"""Losses against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smplerx_ros.research.training.losses import (  # noqa: E402
    LossWeights,
    losses,
    masked_l1,
    part_relative,
    project,
    weighted_sum,
)

# Elements that each term is the mean over, for one person.
POSE, JOINTS, HEATMAP, CELLS, BOX = 159, 137 * 3, 65 * 3, 137 * 2, 3 * 2


def perfect() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Outputs and targets of one person that agree; both hands' boxes cover the whole crop."""
    rng = np.random.default_rng(0)
    joints = torch.from_numpy(rng.normal(0, 0.3, (1, 137, 3)))
    transl = torch.tensor([[0.0, 0.0, 40.0]], dtype=torch.float64)
    cells = project(joints, transl)
    img = torch.cat([cells, torch.full((1, 137, 1), 8.0, dtype=torch.float64)], dim=2)
    hand_boxes = torch.tensor([[[0.0, 0, 256, 256]] * 2], dtype=torch.float64)
    rotvecs = torch.from_numpy(rng.normal(0, 0.2, (1, 53, 3)))
    outputs = {
        "rotvecs": rotvecs,
        "betas": torch.ones(1, 10, dtype=torch.float64),
        "expression": torch.zeros(1, 10, dtype=torch.float64),
        "transl": transl,
        "joints": joints,
        "heatmap": torch.full((1, 25, 16, 16, 12), 1.0 / (16 * 16 * 12), dtype=torch.float64),
        "joints_img": img[:, :65].clone(),  # a box of 256 pixels has 16 cells, like the crop's 16 rows of 16 pixels
        "hand_boxes": hand_boxes,
        "box_centers": torch.full((1, 3, 2), 5.0, dtype=torch.float64),
        "box_sizes": torch.full((1, 3, 2), 2.0, dtype=torch.float64),
    }
    wanted = {
        "pose": rotvecs.flatten(1),
        "betas": outputs["betas"],
        "expression": outputs["expression"],
        "joints_cam": joints - joints[:, :1],
        "fit_cam": part_relative(joints),
        "joints_img": img,
        "fit_img": img,
        "box_centers": outputs["box_centers"],
        "box_sizes": outputs["box_sizes"],
    }
    valid = {
        "pose_valid": torch.ones(1, 159),
        "betas_valid": torch.ones(1, 1),
        "expression_valid": torch.ones(1, 1),
        "joints_cam_valid": torch.ones(1, 137, 1),
        "fit_cam_valid": torch.ones(1, 137, 1),
        "joints_img_valid": torch.ones(1, 137, 3),
        "fit_img_valid": torch.ones(1, 137, 3),
        "box_valid": torch.ones(1, 3, 1),
    }
    return outputs, {name: value.clone() for name, value in (wanted | valid).items()}


def terms(outputs: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, float]:
    """Those of SMPLer-X."""
    return {name: float(value.detach()) for name, value in losses(outputs, wanted).items() if name != "heatmaps"}


def test_perfect_answers_cost_nothing() -> None:
    assert max(terms(*perfect()).values()) < 1e-12


@pytest.mark.parametrize(
    ("key", "place", "step", "expected"),
    [
        ("rotvecs", (0, 4, 1), 0.5, {"pose": 0.5 / POSE}),
        ("betas", (0, 3), -2.0, {"betas": 2.0 / 10}),
        ("expression", (0, 9), 1.0, {"expression": 1.0 / 10}),
        ("joints_img", (0, 7, 0), 3.0, {"joints_img": 3.0 / HEATMAP, "fit_img": 3.0 / HEATMAP}),
        ("joints_img", (0, 30, 2), 3.0, {"joints_img": 3.0 / HEATMAP, "fit_img": 3.0 / HEATMAP}),
        ("box_sizes", (0, 1, 0), 1.5, {"boxes": 3 * 1.5 / BOX}),  # three parts, each a mean over 2 of the 6
        ("box_centers", (0, 2, 1), -1.0, {"boxes": 3 * 1.0 / BOX}),
    ],
)
def test_one_wrong_number_costs_its_share(
    key: str, place: tuple[int, ...], step: float, expected: dict[str, float]
) -> None:
    outputs, wanted = perfect()
    outputs[key] = outputs[key].clone()
    outputs[key][place] += step
    found = terms(outputs, wanted)
    assert {name: value for name, value in found.items() if value > 1e-9} == pytest.approx(expected)


def test_a_wrong_elbow_counts_in_metres_and_in_cells() -> None:
    outputs, wanted = perfect()
    outputs["joints"] = outputs["joints"].clone()
    outputs["joints"][0, 10, 0] += 0.1
    found = terms(outputs, wanted)
    depth = float(outputs["joints"][0, 10, 2]) + 40 + 1e-4
    assert found["joints_cam"] == pytest.approx(0.1 / JOINTS)
    assert found["fit_cam"] == pytest.approx(0.1 / JOINTS)
    assert found["joints_proj"] == pytest.approx(0.1 / depth * 5000 / 16 / CELLS)


def test_a_hand_that_is_elsewhere_costs_nothing_in_its_own_frame_nor_projected() -> None:
    """Where the hand is follows from the arm: only its pelvis-relative place counts."""
    outputs, wanted = perfect()
    outputs["joints"] = outputs["joints"].clone()
    outputs["joints"][0, 25:45] += torch.tensor([0.0, 0.2, 0.0])
    outputs["joints"][0, 12] += torch.tensor([0.0, 0.2, 0.0])  # its wrist
    found = terms(outputs, wanted)
    assert found["joints_cam"] == pytest.approx(21 * 0.2 / JOINTS)
    assert found["fit_cam"] == pytest.approx(0.2 / JOINTS)  # the wrist alone, as a joint of the body
    step = float(project(outputs["joints"], outputs["transl"])[0, 12, 1] - wanted["joints_img"][0, 12, 1])
    assert found["joints_proj"] == pytest.approx(step / CELLS, rel=0.2)


def test_hand_targets_are_measured_in_the_predicted_box() -> None:
    """A box half as large about the same corner: targets in cells twice as large, those outside not asked for."""
    outputs, wanted = perfect()
    wanted["joints_img"][0, 25:45, :2] = torch.tensor([2.0, 3.0])
    wanted["joints_img"][0, 30, :2] = torch.tensor([9.0, 3.0])
    outputs["hand_boxes"] = torch.tensor([[[0.0, 0, 128, 128], [0.0, 0, 256, 256]]])
    outputs["joints_img"] = outputs["joints_img"].clone()
    outputs["joints_img"][0, 25:45, :2] = torch.tensor([4.0, 6.0])
    outputs["joints_img"][0, 30, :2] = 100.0
    assert terms(outputs, wanted)["joints_img"] < 1e-12
    outputs["joints_img"][0, 26, 0] = 5.0
    assert terms(outputs, wanted)["joints_img"] == pytest.approx(1 / HEATMAP)


def test_heat_maps_are_compared_with_spots_at_the_joints() -> None:
    """The cross entropy with a Gaussian of 0.8 cells, summed cell by cell here; least where the map is that spot."""
    outputs, wanted = perfect()
    wanted["joints_img"][0, :25] = torch.tensor([4.3, 9.6, 7.1])
    wanted["joints_img_valid"][0, 20:25, 2] = 0  # of unknown depth: not asked for
    flat = losses(outputs, wanted)["heatmaps"]
    assert float(flat) == pytest.approx(20 / 25 * np.log(16 * 16 * 12))
    z, y, x = np.indices((16, 16, 12))
    spot = np.exp(-((x - 4.3) ** 2 + (y - 9.6) ** 2 + (z - 7.1) ** 2) / (2 * 0.8**2))
    spot /= spot.sum()
    outputs["heatmap"] = torch.from_numpy(spot).expand(1, 25, 16, 16, 12)
    expected = -(spot * np.log(spot.clip(1e-26))).sum()
    assert float(losses(outputs, wanted)["heatmaps"]) == pytest.approx(20 / 25 * expected, rel=1e-4)
    moved = torch.from_numpy(np.roll(spot, 2, axis=2)).expand(1, 25, 16, 16, 12)
    assert float(losses(outputs | {"heatmap": moved}, wanted)["heatmaps"]) > float(flat) / 2


def test_an_empty_cell_of_a_heat_map_has_a_gradient() -> None:
    outputs, wanted = perfect()
    logits = torch.zeros(1, 25, 16, 16, 12)
    logits[..., 0] = 1000.0
    logits.requires_grad_()
    outputs["heatmap"] = logits.flatten(2).softmax(-1).view(logits.shape)
    losses(outputs, wanted)["heatmaps"].backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_inverted_boxes_ask_for_nothing() -> None:
    outputs, wanted = perfect()
    outputs["hand_boxes"] = torch.tensor([[[100.0, 100, 60, 60]] * 2])
    outputs["joints_img"] = outputs["joints_img"].clone()
    outputs["joints_img"][0, 25:] += 50
    assert terms(outputs, wanted)["joints_img"] < 1e-12


def test_what_is_not_valid_costs_nothing_even_if_it_is_not_a_number() -> None:
    outputs, wanted = perfect()
    for name in ("pose", "betas", "joints_cam", "fit_cam"):
        wanted[name][:] = torch.nan
        wanted[f"{name}_valid"][:] = 0
    outputs["rotvecs"].requires_grad_()
    found = losses(outputs, wanted)
    assert max(terms(outputs, wanted).values()) < 1e-12
    weighted_sum(found, LossWeights()).backward()
    assert torch.isfinite(outputs["rotvecs"].grad).all()


def test_masked_elements_count_in_the_mean() -> None:
    found, wanted = torch.tensor([[1.0, 5.0]]), torch.zeros(1, 2)
    assert masked_l1(found, wanted, torch.tensor([[1.0, 0.0]])) == pytest.approx(0.5)


def test_total_weighs_every_term() -> None:
    names = LossWeights.__dataclass_fields__
    ones = {name: torch.tensor(1.0) for name in names}
    assert (
        float(weighted_sum(ones, LossWeights())) == 10 + 1 + 1 + 100 + 100 + 1 + 1 + 1 + 1
    )  # the paper's, without heatmaps
    assert float(weighted_sum(ones, LossWeights(heatmaps=3))) == 216 + 3
    assert set(losses(*perfect())) == set(names)


def test_turning_by_pi_does_not_jump() -> None:
    """Somebody upright before the camera: two axis-angles of nearly the same rotation."""
    outputs, wanted = perfect()
    outputs["rotvecs"] = outputs["rotvecs"].clone()
    outputs["rotvecs"][0, 0] = torch.tensor([np.pi - 0.01, 0, 0])
    wanted["pose"][0, :3] = torch.tensor([-np.pi + 0.01, 0, 0])
    assert terms(outputs, wanted)["pose"] == pytest.approx(0.02 / POSE, rel=1e-3)
