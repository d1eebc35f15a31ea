"""SMPLer-X's training targets for a crop, from annotations.

Cells are those of the heat maps: 16 crop pixels in x and y; 16 bins of depth around the part's root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.backbones.registry import GRID_HEIGHT, GRID_WIDTH, PATCH
from smplerx_ros.backbones.smpler_x.heads import DEPTH_BINS

from .augmentation import Augmentation

BoolArray = NDArray[np.bool_]

# The 137 joints: roots, parts, and the roots to which the parts are relative.
NUM_JOINTS_137, NUM_HEATMAP_JOINTS = 137, 65
PELVIS, NECK, LEFT_WRIST, RIGHT_WRIST = 0, 7, 12, 13
BODY, LEFT_HAND, RIGHT_HAND, FACE = slice(0, 25), slice(25, 45), slice(45, 65), slice(65, 137)
PARTS = ((BODY, PELVIS), (LEFT_HAND, LEFT_WRIST), (RIGHT_HAND, RIGHT_WRIST), (FACE, NECK))
DEPTH_EXTENT_M = (2.0, 0.3, 0.3, 0.3)  # covered by the 16 bins, for each of PARTS


@dataclass(frozen=True, eq=False)
class Annotation:
    """Annotation of one person; what is not annotated is not valid, and zero.

    Points are in image pixels or in metres in the optical frame; rotations are axis-angle.
    """

    region: FloatArray  # (4,) x, y, width, height of the crop without augmentation
    points2d: FloatArray  # (137, 2)
    points2d_valid: BoolArray  # (137,)
    points3d: FloatArray  # (137, 3)
    points3d_valid: BoolArray  # (137,)
    rotvecs: FloatArray  # (53, 3) rows as in backbones.smpler_x.prediction.ROTATIONS
    rotvecs_valid: BoolArray  # (53,)
    fit3d: FloatArray  # (137, 3) joints of the body model with the annotated parameters
    fit3d_valid: BoolArray  # (137,)
    betas: FloatArray  # (10,)
    betas_valid: bool
    expression: FloatArray  # (10,)
    expression_valid: bool
    part_boxes: FloatArray  # (3, 4) x, y, width, height: left hand, right hand, face
    part_boxes_valid: BoolArray  # (3,)


def targets(annotation: Annotation, augmentation: Augmentation) -> dict[str, NDArray[Any]]:
    """Compute the training targets of one crop.

    Args:
        annotation: The person.
        augmentation: Of the crop.

    Returns:
        `float32` arrays by name: `joints_img (137, 3)` cells, and `fit_img`, the same with the depth of the fit;
        `joints_cam (137, 3)` metres relative to the pelvis; `fit_cam (137, 3)` metres relative to each part's root;
        `pose (159,)`; `betas` and `expression (10,)`; `box_centers` and `box_sizes (3, 2)` cells. For each of them
        (the boxes share one), `*_valid` is 0 or 1 and broadcasts to its shape.
    """
    crop_from_image = augmentation.crop_from_image(annotation.region)
    order, parts = augmentation.order, augmentation.parts
    points3d, fit3d = augmentation.joints(annotation.points3d), augmentation.joints(annotation.fit3d)
    points3d_valid, fit3d_valid = annotation.points3d_valid[order], annotation.fit3d_valid[order]
    cells = _to_cells(annotation.points2d[order], crop_from_image)
    seen = annotation.points2d_valid[order] & (annotation.points2d[order] > 0).all(axis=1)
    joints_img, joints_img_valid = _heatmap_targets(cells, seen, points3d, _rooted(points3d_valid))
    fit_img, fit_img_valid = _heatmap_targets(cells, seen, fit3d, _rooted(fit3d_valid))
    centers, sizes, boxes_valid = _boxes(annotation, crop_from_image, parts)
    joints_cam_valid = points3d_valid & points3d_valid[PELVIS]
    rotvecs_valid = annotation.rotvecs_valid[augmentation.rotation_order]
    found = {
        "joints_img": joints_img,
        "joints_img_valid": joints_img_valid,
        "fit_img": fit_img,
        "fit_img_valid": fit_img_valid,
        "joints_cam": points3d - points3d[PELVIS],
        "joints_cam_valid": joints_cam_valid[:, None],
        "fit_cam": part_relative(fit3d),
        "fit_cam_valid": _rooted(fit3d_valid)[:, None],
        "pose": augmentation.pose(annotation.rotvecs).ravel(),
        "pose_valid": np.repeat(rotvecs_valid, 3),
        "betas": annotation.betas,
        "betas_valid": np.array([annotation.betas_valid]),
        "expression": annotation.expression,
        "expression_valid": np.array([annotation.expression_valid]),
        "box_centers": centers,
        "box_sizes": sizes,
        "box_valid": boxes_valid[:, None],
    }
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def part_relative(joints: FloatArray) -> FloatArray:
    """Return points `(137, 3)` relative to the roots of their parts: pelvis, wrists and neck."""
    return np.concatenate([joints[part] - joints[root] for part, root in PARTS])


def _rooted(valid: BoolArray) -> BoolArray:
    """Return `(137,)` which joints are valid together with the root of their part."""
    return np.concatenate([valid[part] & valid[root] for part, root in PARTS])


def _to_cells(pixels: FloatArray, crop_from_image: FloatArray) -> FloatArray:
    return np.asarray((pixels @ crop_from_image[:, :2].T + crop_from_image[:, 2]) / PATCH)


def _heatmap_targets(
    cells: FloatArray, seen: BoolArray, points: FloatArray, points_valid: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return heat map coordinates `(137, 3)` and their validity `(137, 3)`; points outside the map are not valid."""
    extents = np.repeat(DEPTH_EXTENT_M, [part.stop - part.start for part, _ in PARTS])
    bins = (part_relative(points)[:, 2] / (extents / 2) + 1) / 2 * DEPTH_BINS
    inside = seen & (cells >= 0).all(axis=1) & (cells < [GRID_WIDTH, GRID_HEIGHT]).all(axis=1)
    deep = (bins >= 0) & (bins < DEPTH_BINS)
    inside &= deep | ~points_valid
    return np.column_stack([cells, bins]), np.column_stack([inside, inside, inside & points_valid])


def _boxes(
    annotation: Annotation, crop_from_image: FloatArray, parts: list[int]
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return centres and sizes `(3, 2)`, cells, of the bounding boxes of the augmented boxes, and their validity."""
    boxes = annotation.part_boxes[parts]
    corners = boxes[:, None, :2] + boxes[:, None, 2:] * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    cells = _to_cells(corners.reshape(-1, 2), crop_from_image).reshape(corners.shape)
    low, high = cells.min(axis=1), cells.max(axis=1)
    centers = (low + high) / 2
    inside = (centers >= 0).all(axis=1) & (centers < [GRID_WIDTH, GRID_HEIGHT]).all(axis=1)
    return centers, high - low, annotation.part_boxes_valid[parts] & inside
