"""Run the landmark networks on batches of image regions, and convert their outputs to pixels and metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.runtime.onnx import OnnxNetwork

from . import regions as roi
from .topology import BLENDSHAPE_POINTS

Images = Sequence[NDArray[np.uint8]]

POSE_SIZE, RECROP_SIZE, HAND_SIZE, FACE_SIZE = 256, 256, 224, 256  # input sizes of the networks, pixels
HAND_Z_DIVISOR = 0.4  # MediaPipe's normalize_z of the hand graph
HEATMAP_WINDOW = 9  # cells; as MediaPipe 0.10.21 computes, although its graph specifies 7 (measured)
HEATMAP_CONFIDENCE = 0.5


@dataclass(frozen=True, eq=False)
class Bodies:
    """Outputs of the body network for N regions; the fields are those of `BodyLandmarks`."""

    score: FloatArray  # (N,)
    points: FloatArray  # (N, 39, 3)
    visibility: FloatArray  # (N, 33)
    presence: FloatArray  # (N, 33)
    world: FloatArray  # (N, 33, 3)


@dataclass(frozen=True, eq=False)
class Hands:
    """Outputs of the hand network for N regions."""

    score: FloatArray  # (N,)
    right: FloatArray  # (N,)
    points: FloatArray  # (N, 21, 3)
    world: FloatArray  # (N, 21, 3)


@dataclass(frozen=True, eq=False)
class Faces:
    """Outputs of the face network for N regions."""

    score: FloatArray  # (N,)
    points: FloatArray  # (N, 478, 3)


class LandmarkNetworks:
    """The five embedded networks; each method runs a batch of regions `(N, 4)`, with an image for each."""

    def __init__(self, device: str = "cpu", threads: int | None = None) -> None:
        def load(name: str) -> OnnxNetwork:
            return OnnxNetwork.from_asset(name, device=device, threads=threads)

        self._pose, self._recrop, self._hand = load("pose.onnx"), load("hand_recrop.onnx"), load("hand.onnx")
        self._face, self._blendshapes = load("face.onnx"), load("blendshapes.onnx")

    @property
    def provider(self) -> str:
        """ONNX Runtime's execution provider."""
        return self._pose.provider

    def bodies(self, images: Images, regions: FloatArray) -> Bodies:
        """Run the body network, and refine its image points by the heat map."""
        out = self._pose.run({"image": roi.crop(images, regions, POSE_SIZE)})
        raw = out["landmarks"].astype(np.float64)
        raw[:, :, :2] = refined(raw[:, :, :2], out["heatmap"], POSE_SIZE)
        world = roi.world_to_image_axes(out["world"].astype(np.float64)[:, :33], regions)
        return Bodies(
            score=out["score"][:, 0].astype(np.float64),
            points=roi.points_to_image(raw[:, :, :3], regions, POSE_SIZE),
            visibility=sigmoid(raw[:, :33, 3]),
            presence=sigmoid(raw[:, :33, 4]),
            world=world,
        )

    def hand_regions(self, images: Images, palm_regions: FloatArray) -> FloatArray:
        """Find hand regions `(N, 4)` in rough ones."""
        out = self._recrop.run({"image": roi.crop(images, palm_regions, RECROP_SIZE)})
        return roi.recrop_regions(roi.points_to_image(out["points"].astype(np.float64), palm_regions, RECROP_SIZE))

    def hands(self, images: Images, regions: FloatArray) -> Hands:
        """Run the hand network on left and right hands, without mirroring."""
        out = self._hand.run({"image": roi.crop(images, regions, HAND_SIZE)})
        return Hands(
            score=out["score"][:, 0].astype(np.float64),
            right=out["handedness"][:, 0].astype(np.float64),
            points=roi.points_to_image(out["landmarks"].astype(np.float64), regions, HAND_SIZE, HAND_Z_DIVISOR),
            world=roi.world_to_image_axes(out["world"].astype(np.float64), regions),
        )

    def faces(self, images: Images, regions: FloatArray) -> Faces:
        """Run the face network."""
        out = self._face.run({"image": roi.crop(images, regions, FACE_SIZE)})
        points = roi.points_to_image(out["landmarks"].astype(np.float64), regions, FACE_SIZE)
        return Faces(score=sigmoid(out["score_logit"][:, 0].astype(np.float64)), points=points)

    def blendshapes(self, face_points: FloatArray) -> FloatArray:
        """Compute blend shape weights `(N, 52)`, 0..1, from face points `(N, 478, >=2)`, pixels."""
        points = face_points[:, BLENDSHAPE_POINTS, :2].astype(np.float32)
        return self._blendshapes.run({"points": points})["weights"].astype(np.float64)


def sigmoid(x: FloatArray) -> FloatArray:
    """Logistic function without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))


def refined(points: FloatArray, heatmaps: FloatArray, size: int) -> FloatArray:
    """Move points to the centre of mass of their heat maps, in a window around each point.

    A point outside its map, or without a value above `HEATMAP_CONFIDENCE` in the window, is not moved.

    Args:
        points: `(N, k, 2)` crop pixels.
        heatmaps: `(N, rows, columns, k)` logits.
        size: Side of the crop, pixels.
    """
    cells, reach = heatmaps.shape[1], HEATMAP_WINDOW // 2
    cell = (points / size * cells).astype(int)  # column, row
    inside = ((cell >= 0) & (cell < cells)).all(axis=2)
    window = np.arange(-reach, reach + 1)
    columns, rows = cell[:, :, 0, None] + window, cell[:, :, 1, None] + window  # (N, k, 9)
    batch, point = np.ogrid[: points.shape[0], : points.shape[1]]
    row, column = rows.clip(0, cells - 1)[:, :, :, None], columns.clip(0, cells - 1)[:, :, None, :]
    weight = sigmoid(heatmaps[batch[:, :, None, None], row, column, point[:, :, None, None]].astype(np.float64))
    weight *= ((rows >= 0) & (rows < cells))[:, :, :, None] & ((columns >= 0) & (columns < cells))[:, :, None, :]
    total = weight.sum(axis=(2, 3)) + 1e-12
    centre = np.stack([(weight.sum(axis=2) * columns).sum(axis=2), (weight.sum(axis=3) * rows).sum(axis=2)], axis=2)
    sure = inside & (weight.max(axis=(2, 3)) >= HEATMAP_CONFIDENCE)
    return np.where(sure[:, :, None], centre / total[:, :, None] * (size / cells), points)
