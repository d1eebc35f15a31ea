"""Differentiable body model in torch: the 137 joints of the losses. Only the vertices that they need are skinned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from smplerx_ros.backbones.smpler_x.prediction import ROTATIONS
from smplerx_ros.body.kinematics import LEVELS
from smplerx_ros.body.landmarks import MAX_YAW
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.skeleton import EXTRA_JOINT_VERTICES, JOINT_INDEX, JOINTS_137, PARENTS

from .rotations import matrix_from_rotvec


class TorchBody(nn.Module):
    """Torch version of a `BodyModel`, float32. Its buffers are neither trained nor saved."""

    def __init__(self, body: BodyModel) -> None:
        super().__init__()
        data = body.data
        static, contour = data.faces[data.landmark_faces], data.faces[data.contour_faces]
        extra = torch.tensor(EXTRA_JOINT_VERTICES)
        used, slots = torch.unique(
            torch.cat([extra, _long(static).flatten(), _long(contour).flatten()]), return_inverse=True
        )
        pieces = slots.split([len(extra), static.size, contour.size])
        shape_dirs = _float(data.shape_dirs[used.numpy()])
        self._keep("extra", pieces[0])
        self._keep("static", pieces[1].reshape(static.shape))
        self._keep("contour", pieces[2].reshape(contour.shape))
        self._keep("static_weights", _float(data.landmark_barycentric))
        self._keep("contour_weights", _float(data.contour_barycentric))
        self._keep("template", _float(data.v_template[used.numpy()]))
        self._keep("shape_dirs", shape_dirs)
        self._keep("pose_dirs", None if data.pose_dirs is None else _float(data.pose_dirs[used.numpy()]))
        self._keep("weights", _float(data.weights[used.numpy()]))
        self._keep("joint_template", _float(body.joint_template))
        self._keep("joint_dirs", torch.cat([_float(body.joint_shapedirs), _float(body.joint_expression_dirs)], dim=2))
        self._keep("hands_mean", _float(body.hands_mean))
        self._keep("joints_137", torch.tensor(JOINTS_137))

    def forward(self, matrices: Tensor, rotvecs: Tensor, betas: Tensor, expression: Tensor) -> Tensor:
        """Compute the 137 joints of posed bodies.

        The 53 rotations (rows as in `backbones.smpler_x.prediction.ROTATIONS`) are given both as matrices, used for
        body and jaw, and as axis-angle, used for the hands, to which the mean hand pose is added.

        Args:
            matrices: `(B, 53, 3, 3)`.
            rotvecs: `(B, 53, 3)`.
            betas: `(B, 10)`.
            expression: `(B, 10)`.

        Returns:
            `(B, 137, 3)` metres, without translation.
        """
        local = self._local(matrices, rotvecs)
        coefficients = torch.cat([betas, expression], dim=1)
        rest = self.joint_template + torch.einsum("jck,bk->bjc", self.joint_dirs, coefficients)
        rotations, positions = _kinematics(local, rest)
        vertices = self._skinned(local, coefficients, rest, rotations, positions)
        rows = _contour_rows(rotations[:, JOINT_INDEX["neck"]])
        static = torch.einsum("bfkc,fk->bfc", vertices[:, self.static], self.static_weights)
        corners = vertices[torch.arange(len(rows), device=rows.device)[:, None, None], self.contour[rows]]
        contour = torch.einsum("bfkc,bfk->bfc", corners, self.contour_weights[rows])
        return torch.cat([positions, vertices[:, self.extra], static, contour], dim=1)[:, self.joints_137]

    def _local(self, matrices: Tensor, rotvecs: Tensor) -> Tensor:
        """Return the local rotations `(B, 55, 3, 3)`; eyes are at rest."""
        eyes = torch.eye(3, device=matrices.device, dtype=matrices.dtype).expand(len(matrices), 2, 3, 3)
        hands = [
            matrix_from_rotvec(rotvecs[:, ROTATIONS[name]] + mean.reshape(-1, 3))
            for name, mean in zip(("left_hand_pose", "right_hand_pose"), self.hands_mean, strict=True)
        ]
        body = matrices[:, : ROTATIONS["body_pose"].stop]
        return torch.cat([body, matrices[:, ROTATIONS["jaw_pose"]], eyes, *hands], dim=1)

    def _skinned(
        self, local: Tensor, coefficients: Tensor, rest: Tensor, rotations: Tensor, positions: Tensor
    ) -> Tensor:
        shaped = self.template + torch.einsum("vck,bk->bvc", self.shape_dirs, coefficients)
        if self.pose_dirs is not None:
            feature = (local[:, 1:] - torch.eye(3, device=local.device)).flatten(1)
            shaped = shaped + torch.einsum("vck,bk->bvc", self.pose_dirs, feature)
        offsets = positions - (rotations @ rest[..., None])[..., 0]
        blended = torch.einsum("vj,bjxy->bvxy", self.weights, rotations)
        return (blended @ shaped[..., None])[..., 0] + torch.einsum("vj,bjx->bvx", self.weights, offsets)

    def _keep(self, name: str, value: Tensor | None) -> None:
        self.register_buffer(name, value, persistent=False)


def _kinematics(local: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Compute forward kinematics as `body.kinematics.forward_kinematics`, without in-place writes."""
    parents = torch.tensor(PARENTS, device=rest.device).clamp(min=0)
    bones = rest - rest[:, parents]
    rotations, positions, order = [local[:, :1]], [rest[:, :1]], [0]
    for level in LEVELS:
        above = torch.cat(rotations, dim=1), torch.cat(positions, dim=1)
        slots = [order.index(PARENTS[joint]) for joint in level]
        parent_rotations = above[0][:, slots]
        index = torch.as_tensor(level, device=rest.device)
        rotations.append(parent_rotations @ local[:, index])
        positions.append(above[1][:, slots] + (parent_rotations @ bones[:, index, :, None])[..., 0])
        order += level.tolist()
    back = torch.tensor([order.index(joint) for joint in range(len(PARENTS))], device=rest.device)
    return torch.cat(rotations, dim=1)[:, back], torch.cat(positions, dim=1)[:, back]


def _contour_rows(neck: Tensor) -> Tensor:
    """Select contour landmarks as `body.landmarks.contour_rows`, from the neck's rotation `(B, 3, 3)`."""
    neck = neck.detach()
    yaw = torch.rad2deg(torch.atan2(neck[:, 2, 0], torch.hypot(neck[:, 0, 0], neck[:, 1, 0])))
    degrees = yaw.nan_to_num().clamp(-MAX_YAW, MAX_YAW).round().long()
    return torch.where(degrees < 0, MAX_YAW - degrees, degrees)


def _float(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def _long(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)
