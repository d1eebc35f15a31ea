"""SMPLer-X's heads for joints, boxes of hands and face, rotations, shape, camera and expression.

The names of modules and their `Sequential` wrapping are those of the published checkpoints. C is the backbone's
embedding dimension; a cell of the 16x12 feature map is 16 pixels of the 256x192 crop. Regressors take coordinates in
cells.
"""

from __future__ import annotations

from itertools import chain, pairwise

import torch
from torch import Tensor, nn

from smplerx_ros.backbones.registry import PATCH

from .ops import roi_align, sample_features, soft_argmax

DEPTH_BINS = 16
BODY_JOINTS, HAND_JOINTS = 25, 20
BODY_ROTATIONS, HAND_ROTATIONS = 21, 15
HAND_BINS = 16  # cells of a hand's heat map per axis, and of its pooled region
BOX_STRIDE = 8  # cells of the box head's map per cell of the feature map
HAND_BOX_SCALE, FACE_BOX_SCALE = 2.0, 1.5
_HIDDEN = 512


class PositionNet(nn.Module):
    """Predicts joint positions by 3-D heat maps."""

    def __init__(self, dim: int, joints: int) -> None:
        super().__init__()
        self.joints = joints
        self.conv = nn.Sequential(nn.Conv2d(dim, joints * DEPTH_BINS, 1))

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities `(B, J, 16, H, W)` and joints `(B, J, 3)` (x, y, z cells) of `feature (B, C, H, W)`."""
        return soft_argmax(self.conv(feature).unflatten(1, (self.joints, DEPTH_BINS)))


class BodyRegressor(nn.Module):
    """Predicts rotations, shape and camera from the task tokens and the joints' positions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        joined = BODY_JOINTS * (_HIDDEN + 3)
        self.body_conv = nn.Sequential(nn.Linear(dim, _HIDDEN))
        self.root_pose_out = nn.Sequential(nn.Linear(joined, 6))
        self.body_pose_out = nn.Sequential(nn.Linear(joined, BODY_ROTATIONS * 6))
        self.shape_out = nn.Sequential(nn.Linear(dim, 10))
        self.cam_out = nn.Sequential(nn.Linear(dim, 3))

    def forward(
        self, pose_tokens: Tensor, shape_token: Tensor, camera_token: Tensor, joints: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Root 6-D `(B, 6)`, body 6-D `(B, 126)`, betas `(B, 10)` and raw camera `(B, 3)`.

        `pose_tokens (B, 25, C)`, `shape_token (B, C)`, `camera_token (B, C)`, `joints (B, 25, 3)` in cells.
        """
        joined = torch.cat([self.body_conv(pose_tokens), joints], dim=2).flatten(1)
        return (
            self.root_pose_out(joined),
            self.body_pose_out(joined),
            self.shape_out(shape_token),
            self.cam_out(camera_token),
        )


class BoxNet(nn.Module):
    """Predicts the boxes of left hand, right hand and face."""

    def __init__(self, dim: int, channels: int) -> None:
        super().__init__()
        self.deconv = _upsampling([dim + BODY_JOINTS * DEPTH_BINS, channels, channels, channels])
        self.bbox_center = nn.Sequential(nn.Conv2d(channels, 3, 1))
        self.lhand_size, self.rhand_size, self.face_size = (_size_mlp(channels) for _ in range(3))

    def forward(self, feature: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor]:
        """Centres and sizes `(B, 3, 2)` in cells, of left hand, right hand, face; sizes may be negative.

        `feature (B, C, 16, 12)`, `heatmap (B, 25, 16, 16, 12)` probabilities.
        """
        joined = torch.cat([feature, heatmap.flatten(1, 2)], dim=1)
        upsampled = self.deconv(joined.to(_dtype(self.deconv))).float()
        _, centers = soft_argmax(self.bbox_center(upsampled))
        return centers / BOX_STRIDE, self.sizes(sample_features(upsampled, centers))

    def sizes(self, local: Tensor) -> Tensor:
        """Sizes `(B, 3, 2)` in cells of the features `(B, 3, channels)` at the centres."""
        mlps = (self.lhand_size, self.rhand_size, self.face_size)
        return torch.stack([mlp(local[:, part]) for part, mlp in enumerate(mlps)], dim=1)


class HandRoiNet(nn.Module):
    """Extracts features of both hands from their boxes; the left one is mirrored, to share a network."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.deconv = _upsampling([dim, dim // 2, dim // 4])
        self.conv = nn.Sequential(nn.Conv2d(dim // 4, dim, 1))

    def forward(self, feature: Tensor, left_box: Tensor, right_box: Tensor) -> Tensor:
        """`(2B, C, 16, 16)`: all left hands (mirrored), then all right. Boxes `(B, 4)` in pixels of the crop."""
        upsampled = self.deconv(feature.to(_dtype(self.deconv))).float()
        cells_per_pixel = 4 / PATCH  # the feature map is upsampled twice by 2
        left = roi_align(upsampled, left_box * cells_per_pixel, HAND_BINS).flip(3)
        right = roi_align(upsampled, right_box * cells_per_pixel, HAND_BINS)
        return self.conv(torch.cat([left, right]))


class HandRegressor(nn.Module):
    """Predicts finger rotations from the features at the hand's joints."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.hand_conv = nn.Sequential(nn.Conv2d(dim, _HIDDEN, 1), nn.BatchNorm2d(_HIDDEN), nn.ReLU())
        self.hand_pose_out = nn.Sequential(nn.Linear(HAND_JOINTS * (_HIDDEN + 3), HAND_ROTATIONS * 6))

    def forward(self, feature: Tensor, joints: Tensor) -> Tensor:
        """6-D rotations `(B, 90)` of `feature (B, C, 16, 16)` and `joints (B, 20, 3)` in cells."""
        local = sample_features(self.hand_conv(feature), joints[..., :2])
        return self.hand_pose_out(torch.cat([local, joints], dim=2).flatten(1))


class FaceRegressor(nn.Module):
    """Predicts expression and jaw pose from their task tokens."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.expr_out = nn.Sequential(nn.Linear(dim, 10))
        self.jaw_pose_out = nn.Sequential(nn.Linear(dim, 6))

    def forward(self, expression_token: Tensor, jaw_token: Tensor) -> tuple[Tensor, Tensor]:
        """Expression `(B, 10)` and jaw 6-D `(B, 6)` of two tokens `(B, C)`."""
        return self.expr_out(expression_token), self.jaw_pose_out(jaw_token)


def square_box(center: Tensor, size: Tensor, scale: float) -> Tensor:
    """Square box `(B, 4)` (x0, y0, x1, y1; pixels of the crop), perhaps inverted; centre and size `(B, 2)` in cells."""
    half = (size.amax(dim=1, keepdim=True) * (PATCH * scale / 2)).expand(-1, 2)
    middle = center * PATCH
    return torch.cat([middle - half, middle + half], dim=1)


def hand_to_crop(joints: Tensor, box: Tensor) -> Tensor:
    """Hand joints `(B, 20, 3)` with x, y in cells of the 16x12 feature map; z stays in the hand's own bins."""
    origin, extent = box[:, None, :2], (box[:, 2:] - box[:, :2])[:, None]
    return torch.cat([(joints[..., :2] / HAND_BINS * extent + origin) / PATCH, joints[..., 2:]], dim=2)


def mirror_joints(joints: Tensor) -> Tensor:
    """Mirror hand joints `(B, 20, 3)` of a mirrored region back."""
    return torch.cat([HAND_BINS - 1 - joints[..., :1], joints[..., 1:]], dim=2)


def mirror_rotations(rotations_6d: Tensor) -> Tensor:
    """6-D rotations `(..., 6)` of a mirrored hand: axis-angle (x, y, z) becomes (x, -y, -z).

    With M = diag(-1, 1, 1) this is M R M: the first column becomes (x, -y, -z), the second (-x, y, z).
    """
    return rotations_6d * rotations_6d.new_tensor([1.0, -1.0, -1.0, 1.0, -1.0, 1.0])


def _upsampling(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def _dtype(module: nn.Module) -> torch.dtype:
    """Type of the module's parameters."""
    return next(chain(module.parameters(), module.buffers())).dtype


def _size_mlp(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 2))
