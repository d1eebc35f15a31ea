"""SMPLer-X's losses: masked L1 terms, each averaged over all elements including masked ones, and their weighted sum."""

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

_DEPTH_MARGIN_M = 1e-4  # added to depths before division (SMPLer-X)
_HEATMAP_SIGMA = 0.8  # cells, standard deviation of the target heat maps
_MIN_PROBABILITY = 1e-26  # of heat maps, bounds the logarithm
_MIN_BOX = 1.0  # pixels of the crop; smaller hand boxes have no targets


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms; the defaults are SMPLer-X's.

    `heatmaps` is an addition for training from scratch: the other terms depend on a heat map through its expectation
    only, whose gradient carries little information while the heat map is flat.
    """

    pose: float = 10.0  # axis-angle, 53 rotations
    betas: float = 1.0
    expression: float = 1.0
    joints_cam: float = 100.0  # metres relative to the pelvis, annotated joints
    fit_cam: float = 100.0  # metres relative to the part's root, joints of the fitted body
    joints_proj: float = 1.0  # cells
    joints_img: float = 1.0  # cells of the heat maps, annotated depth
    fit_img: float = 1.0  # cells of the heat maps, depth of the fitted body
    boxes: float = 1.0  # centres and sizes, cells
    heatmaps: float = 0.0  # cross entropy of the body's heat maps and a Gaussian at the joint


def losses(outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute the unweighted loss terms.

    Args:
        outputs: Of `network.TrainingNetwork`.
        targets: A batch of `targets.targets`.

    Returns:
        Scalars by the field names of `LossWeights`.
    """
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
        * targets["box_valid"].shape[1],  # one term per part
        "heatmaps": _heatmap_entropy(outputs["heatmap"], targets["joints_img"], targets["joints_img_valid"]),
    }


def weighted_sum(terms: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
    """Return the weighted sum of the loss terms."""
    factors = asdict(weights)
    return torch.stack([factors[name] * value for name, value in terms.items()]).sum()


def masked_l1(output: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Return the mean absolute difference over all elements; those not `valid` (0) count as zero, even if NaN."""
    valid = valid.expand_as(output)
    difference = torch.where(valid > 0, output - target, torch.zeros_like(output))
    return difference.abs().mean()


def _heatmap_entropy(heatmap: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Return the mean cross entropy, nats, of `heatmap (B, 25, 16, 16, 12)` and Gaussians at `target (B, 137, 3)`."""
    log_likelihood = heatmap.clamp(min=_MIN_PROBABILITY).log()
    mean = torch.where(valid[:, BODY] > 0, target[:, BODY], torch.zeros_like(target[:, BODY]))
    for axis, cells in enumerate(reversed(heatmap.shape[2:])):
        centers = torch.arange(cells, device=heatmap.device)
        weights = (-0.5 * ((centers - mean[..., axis, None]) / _HEATMAP_SIGMA) ** 2).softmax(dim=-1)
        shape = (*weights.shape[:2], *[1] * (2 - axis), cells)
        log_likelihood = (log_likelihood * weights.view(shape)).sum(dim=-1)
    return -(log_likelihood * valid[:, BODY].amin(dim=-1)).mean()


def project(joints: Tensor, transl: Tensor) -> Tensor:
    """Project joints into the crop by its virtual camera.

    Args:
        joints: `(B, J, 3)` metres.
        transl: `(B, 3)` metres, added to the joints.

    Returns:
        `(B, J, 2)` cells of the heat maps.
    """
    moved = joints + transl[:, None]
    middle = joints.new_tensor([CROP_WIDTH / 2, CROP_HEIGHT / 2])
    return (moved[..., :2] / (moved[..., 2:] + _DEPTH_MARGIN_M) * CROP_FOCAL + middle) / PATCH


def part_relative(joints: Tensor) -> Tensor:
    """Return joints `(B, 137, 3)` relative to the roots of their parts: pelvis, wrists and neck."""
    return torch.cat([joints[:, part] - joints[:, root, None] for part, root in PARTS], dim=1)


def _into_boxes(target: Tensor, valid: Tensor, hand_boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return heat map targets and their validity `(B, 65, 3)`; hands relative to their predicted boxes."""
    parts, masks = [target[:, BODY]], [valid[:, BODY]]
    for number, part in enumerate((LEFT_HAND, RIGHT_HAND)):
        origin, end = hand_boxes[:, number, None, :2], hand_boxes[:, number, None, 2:]
        extent = end - origin
        local = (target[:, part, :2] * PATCH - origin) / extent.clamp(min=_MIN_BOX) * HAND_BINS
        inside = ((local >= 0) & (local < HAND_BINS) & (extent > _MIN_BOX)).all(dim=-1, keepdim=True)
        parts.append(torch.cat([local, target[:, part, 2:]], dim=-1))
        masks.append(valid[:, part] * inside)
    joined, mask = torch.cat(parts, dim=1), torch.cat(masks, dim=1)
    assert joined.shape[1] == NUM_HEATMAP_JOINTS
    return joined, mask


def _aligned_parts(projected: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Translate hands and face of `projected (B, 137, 2)` so that their visible points have the targets' mean.

    The position of a hand is determined by the arm; the loss on it is about its shape.
    """
    parts = [projected[:, BODY]]
    for part in (LEFT_HAND, RIGHT_HAND, FACE):
        mask = valid[:, part]
        count = mask.sum(dim=1, keepdim=True).clamp(min=1)
        offset = ((target[:, part] - projected[:, part]) * mask).sum(dim=1, keepdim=True) / count
        parts.append(projected[:, part] + offset)
    return torch.cat(parts, dim=1)
