"""SMPLer-X's losses: masked L1, each the mean over all its elements, masked ones too; their weighted sum is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from smplerx_ros.backbones.registry import PATCH
from smplerx_ros.backbones.smpler_x.heads import HAND_BINS
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH
from smplerx_ros.geometry.crops import CROP_FOCAL

from .rotations import nearest_equivalent
from .targets import BODY, FACE, LEFT_HAND, NUM_HEATMAP_JOINTS, PARTS, PELVIS, RIGHT_HAND

_DEPTH_MARGIN_M = 1e-4  # added to depths before a division (SMPLer-X)
_SPOT_CELLS = 0.8  # standard deviation of a heat map's target
_LEAST_PROBABILITY = 1e-26  # in a heat map, before its logarithm
_LEAST_BOX = 1.0  # pixels of the crop; a hand's box that is smaller cannot hold targets


@dataclass(frozen=True)
class LossWeights:
    """Factors of the terms (SMPLer-X's).

    `heatmaps` is not SMPLer-X's. It is for networks from nothing: the others see a heat map by its expectation alone,
    which says little about where a flat one should rise.
    """

    pose: float = 10.0  # axis-angle, 53 rotations
    betas: float = 1.0
    expression: float = 1.0
    joints_cam: float = 100.0  # metres from the pelvis, annotated joints
    fit_cam: float = 100.0  # metres from the part's root, joints of the fitted body
    joints_proj: float = 1.0  # cells
    joints_img: float = 1.0  # heat maps, annotated depth
    fit_img: float = 1.0  # heat maps, the fitted body's depth
    boxes: float = 1.0  # centres and sizes, cells
    heatmaps: float = 0.0  # ours: cross entropy of the body's heat maps with a spot at the joint


def losses(outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Unweighted terms by the names of `LossWeights`, of `network.TrainingNetwork`'s outputs and `targets.targets`."""
    joints = outputs["joints"]
    rotvecs = outputs["rotvecs"]
    pose = nearest_equivalent(targets["pose"].unflatten(1, (-1, 3)), rotvecs.detach())
    target_img, img_valid = _into_boxes(targets["joints_img"], targets["joints_img_valid"], outputs["hand_boxes"])
    fit_img, fit_valid = _into_boxes(targets["fit_img"], targets["fit_img_valid"], outputs["hand_boxes"])
    cells, cells_valid = targets["joints_img"][..., :2], targets["joints_img_valid"][..., :2]
    projected = _aligned_parts(project(joints, outputs["transl"]), cells, cells_valid)
    return {
        "pose": masked_l1(rotvecs.flatten(1), pose.flatten(1), targets["pose_valid"]),
        "betas": masked_l1(outputs["betas"], targets["betas"], targets["betas_valid"]),
        "expression": masked_l1(outputs["expression"], targets["expression"], targets["expression_valid"]),
        "joints_cam": masked_l1(joints - joints[:, PELVIS, None], targets["joints_cam"], targets["joints_cam_valid"]),
        "fit_cam": masked_l1(part_relative(joints), targets["fit_cam"], targets["fit_cam_valid"]),
        "joints_proj": masked_l1(projected, cells, cells_valid),
        "joints_img": masked_l1(outputs["joints_img"], target_img, img_valid),
        "fit_img": masked_l1(outputs["joints_img"], fit_img, fit_valid),
        "boxes": sum(
            masked_l1(outputs[name], targets[name], targets["box_valid"]) for name in ("box_centers", "box_sizes")
        )
        * targets["box_valid"].shape[1],  # a term for each part
        "heatmaps": _heatmap_entropy(outputs["heatmap"], targets["joints_img"], targets["joints_img_valid"]),
    }


def weighted_sum(terms: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
    """Their weighted sum."""
    factors = asdict(weights)
    return torch.stack([factors[name] * value for name, value in terms.items()]).sum()


def masked_l1(found: Tensor, wanted: Tensor, valid: Tensor) -> Tensor:
    """Mean over all elements of the absolute differences, zero where not `valid`; whatever is there, NaN too."""
    valid = valid.expand_as(found)
    difference = torch.where(valid > 0, found - wanted, torch.zeros_like(found))
    return difference.abs().mean()


def _heatmap_entropy(heatmap: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean cross entropy, nats, of `heatmap (B, 25, 16, 16, 12)` with spots at `target (B, 137, 3)`, cells."""
    spot = heatmap.clamp(min=_LEAST_PROBABILITY).log()
    where = torch.where(valid[:, BODY] > 0, target[:, BODY], torch.zeros_like(target[:, BODY]))
    for axis, cells in enumerate(reversed(heatmap.shape[2:])):
        places = torch.arange(cells, device=heatmap.device)
        weights = (-0.5 * ((places - where[..., axis, None]) / _SPOT_CELLS) ** 2).softmax(dim=-1)
        shape = (*weights.shape[:2], *[1] * (2 - axis), cells)
        spot = (spot * weights.view(shape)).sum(dim=-1)
    return -(spot * valid[:, BODY].amin(dim=-1)).mean()


def project(joints: Tensor, transl: Tensor) -> Tensor:
    """Cells `(B, J, 2)` of joints `(B, J, 3)` metres, moved by `transl (B, 3)`, in the crop's virtual camera."""
    moved = joints + transl[:, None]
    middle = joints.new_tensor([CROP_WIDTH / 2, CROP_HEIGHT / 2])
    return (moved[..., :2] / (moved[..., 2:] + _DEPTH_MARGIN_M) * CROP_FOCAL + middle) / PATCH


def part_relative(joints: Tensor) -> Tensor:
    """Joints `(B, 137, 3)` from pelvis, wrists and neck."""
    return torch.cat([joints[:, part] - joints[:, root, None] for part, root in PARTS], dim=1)


def _into_boxes(target: Tensor, valid: Tensor, hand_boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Targets and validity `(B, 65, 3)`: the hands' x, y in the 16x16 cells of the predicted `hand_boxes (B, 2, 4)`."""
    parts, masks = [target[:, BODY]], [valid[:, BODY]]
    for number, part in enumerate((LEFT_HAND, RIGHT_HAND)):
        origin, end = hand_boxes[:, number, None, :2], hand_boxes[:, number, None, 2:]
        extent = end - origin
        local = (target[:, part, :2] * PATCH - origin) / extent.clamp(min=_LEAST_BOX) * HAND_BINS
        inside = ((local >= 0) & (local < HAND_BINS) & (extent > _LEAST_BOX)).all(dim=-1, keepdim=True)
        parts.append(torch.cat([local, target[:, part, 2:]], dim=-1))
        masks.append(valid[:, part] * inside)
    joined, mask = torch.cat(parts, dim=1), torch.cat(masks, dim=1)
    assert joined.shape[1] == NUM_HEATMAP_JOINTS
    return joined, mask


def _aligned_parts(projected: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """`projected (B, 137, 2)` with hands and face moved so that their visible points have the targets' mean.

    Where a hand is follows from the arm; this term is for its shape.
    """
    parts = [projected[:, BODY]]
    for part in (LEFT_HAND, RIGHT_HAND, FACE):
        mask = valid[:, part]
        count = mask.sum(dim=1, keepdim=True).clamp(min=1)
        step = ((target[:, part] - projected[:, part]) * mask).sum(dim=1, keepdim=True) / count
        parts.append(projected[:, part] + step)
    return torch.cat(parts, dim=1)
