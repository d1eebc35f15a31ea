"""Differentiable rotation conversions in torch, with the conventions of `backbones.smpler_x.prediction`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SMALL = 1e-6  # radians; smaller angles use a series expansion


def matrix_from_6d(rotations_6d: Tensor) -> Tensor:
    """Convert 6-D rotations `(..., 6)`, the first two columns in row-major order, to matrices `(..., 3, 3)`.

    Zhou et al. 2019, "On the continuity of rotation representations in neural networks".
    """
    columns = rotations_6d.unflatten(-1, (3, 2))
    first = functional.normalize(columns[..., 0], dim=-1, eps=1e-12)
    along = (first * columns[..., 1]).sum(dim=-1, keepdim=True) * first
    second = functional.normalize(columns[..., 1] - along, dim=-1, eps=1e-12)
    return torch.stack([first, second, torch.cross(first, second, dim=-1)], dim=-1)


def rotvec_from_matrix(matrix: Tensor) -> Tensor:
    """Convert matrices `(..., 3, 3)` to axis-angle `(..., 3)` with angles in [0, pi].

    Goes through the quaternion, computed from its largest component (Day, "Converting a rotation matrix to a
    quaternion"). The gradient is finite everywhere.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in matrix.unbind(-2))
    wx, wy, wz, sxy, sxz, syz = zy - yz, xz - zx, yx - xy, xy + yx, xz + zx, yz + zy
    squares = torch.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], dim=-1)
    w, x, y, z = squares.unbind(-1)
    rows = [[w, wx, wy, wz], [wx, x, sxy, sxz], [wy, sxy, y, syz], [wz, sxz, syz, z]]
    candidates = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    best = squares.detach().argmax(dim=-1, keepdim=True)
    chosen = candidates.gather(-2, best[..., None].expand(*best.shape, 4))[..., 0, :]
    quaternion = 0.5 * chosen / squares.gather(-1, best).clamp(min=_SMALL).sqrt()
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    vector = quaternion[..., 1:]
    small = vector.detach().norm(dim=-1, keepdim=True) < _SMALL
    sine = torch.where(small, torch.ones_like(vector), vector).norm(dim=-1, keepdim=True)  # no NaN in the gradient
    angle = 2 * torch.atan2(sine, quaternion[..., :1])
    return torch.where(small, 2 * vector, angle / sine * vector)


def matrix_from_rotvec(rotvec: Tensor) -> Tensor:
    """Convert axis-angle `(..., 3)` to matrices `(..., 3, 3)` (Rodrigues' formula)."""
    squared = (rotvec * rotvec).sum(dim=-1)[..., None, None]
    small = squared < _SMALL**2
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    x, y, z = rotvec.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    linear = torch.where(small, torch.ones_like(angle), angle.sin() / angle)
    quadratic = torch.where(small, torch.full_like(angle, 0.5), (1 - angle.cos()) / safe)
    return torch.eye(3, dtype=rotvec.dtype, device=rotvec.device) + linear * skew + quadratic * (skew @ skew)


def nearest_equivalent(rotvec: Tensor, reference: Tensor) -> Tensor:
    """Return `rotvec (..., 3)`, or the equivalent rotation about the opposite axis if that is closer to `reference`.

    The orientation of upright people in the optical frame has an angle of about pi, where the two representations meet
    and the difference of axis-angles is discontinuous.
    """
    angle = rotvec.norm(dim=-1, keepdim=True)
    axis = rotvec / angle.clamp(min=_SMALL)
    longer = axis * (angle - 2 * torch.pi)
    shorter_is_nearer = (rotvec - reference).abs().sum(-1) <= (longer - reference).abs().sum(-1)
    return torch.where(shorter_is_nearer[..., None], rotvec, longer)
