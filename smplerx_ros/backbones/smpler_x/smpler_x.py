"""The network of SMPLer-X (Cai et al. 2023): a ViT with heads for heat maps, parts and SMPL-X parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from smplerx_ros.backbones.registry import BackboneSpec

from . import heads
from .ops import spread
from .vit import Encoder

# Indices of task tokens; tokens 4 and 5 (hands) are not used by any head.
_SHAPE, _CAMERA, _EXPRESSION, _JAW, _FIRST_BODY = 0, 1, 2, 3, 6


class SmplerX(nn.Module):
    """The complete network; attributes are named as in published checkpoints."""

    def __init__(self, backbone: BackboneSpec) -> None:
        super().__init__()
        dim = backbone.embed_dim
        self.encoder = Encoder(backbone)
        self.body_position_net = heads.PositionNet(dim, heads.BODY_JOINTS)
        self.body_regressor = heads.BodyRegressor(dim)
        self.box_net = heads.BoxNet(dim, backbone.box_channels)
        self.hand_roi_net = heads.HandRoiNet(dim)
        self.hand_position_net = heads.PositionNet(dim, heads.HAND_JOINTS)
        self.hand_regressor = heads.HandRegressor(dim)
        self.face_regressor = heads.FaceRegressor(dim)

    def half_modules(self) -> list[nn.Module]:
        """Modules with most of the computation, for which half precision suffices; the others remain float32."""
        return [self.encoder, self.box_net.deconv, self.hand_roi_net.deconv]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs (see `prediction.py`) of `image (B, 3, 256, 192)` RGB 0..1."""
        tokens, feature = self.encoder(image)
        heatmap, body_joints = self.body_position_net(feature)
        root, body, betas, camera = self.body_regressor(*self.body_tokens(tokens), body_joints)
        expression, jaw = self.face_regressor(*self.face_tokens(tokens))
        left_box, right_box, face_box = self.part_boxes(feature, heatmap)
        hand_rotations, hand_joints, hand_spread = self.hands(feature, left_box, right_box)
        return {
            "pose_6d": torch.cat([root, body, hand_rotations, jaw], dim=1).unflatten(1, (-1, 6)),
            "betas": betas,
            "expression": expression,
            "camera": camera,
            "joint_img": torch.cat([body_joints, hand_joints], dim=1),
            "joint_spread": torch.cat([spread(heatmap, body_joints), hand_spread], dim=1),
            "part_boxes": torch.stack([left_box, right_box, face_box], dim=1),
        }

    def body_tokens(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pose `(B, 25, C)`, shape and camera `(B, C)` of the task tokens `(B, 31, C)`."""
        return tokens[:, _FIRST_BODY:], tokens[:, _SHAPE], tokens[:, _CAMERA]

    def face_tokens(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Expression and jaw `(B, C)` of the task tokens `(B, 31, C)`."""
        return tokens[:, _EXPRESSION], tokens[:, _JAW]

    def part_boxes(self, feature: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Square boxes `(B, 4)` in pixels of the crop, of left hand, right hand and face."""
        centers, sizes = self.box_net(feature, heatmap)
        left, right = (heads.square_box(centers[:, part], sizes[:, part], heads.HAND_BOX_SCALE) for part in (0, 1))
        return left, right, heads.square_box(centers[:, 2], sizes[:, 2], heads.FACE_BOX_SCALE)

    def hands(self, feature: Tensor, left_box: Tensor, right_box: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """6-D rotations `(B, 180)`, joints `(B, 40, 3)` and their spread `(B, 40)` of the left, then the right hand."""
        hand_feature = self.hand_roi_net(feature, left_box, right_box)
        heatmap, joints = self.hand_position_net(hand_feature)
        spreads = spread(heatmap, joints)
        rotations = self.hand_regressor(hand_feature, joints)
        batch = left_box.shape[0]
        left_6d = heads.mirror_rotations(rotations[:batch].unflatten(1, (-1, 6))).flatten(1)
        left = heads.hand_to_crop(heads.mirror_joints(joints[:batch]), left_box)
        right = heads.hand_to_crop(joints[batch:], right_box)
        return (
            torch.cat([left_6d, rotations[batch:]], dim=1),
            torch.cat([left, right], dim=1),
            torch.cat([spreads[:batch], spreads[batch:]], dim=1),
        )
