"""Convert landmarks to the measurements of the fit: rays and directions in the optical frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.rotations import normalized, rotation_between

from .landmarks import HandLandmarks, PersonLandmarks
from .points import POINT_INDEX, POINTS

# Visibility below which a body landmark has no weight, and above which it has full weight.
_GUESSED, _SEEN = 0.2, 0.7
_FACE_SIGMA = 0.0036  # relative to the box height; the face model is more precise than the body model
_HAND_GUESS_SIGMA = 0.015  # of the body model's knuckles, which are used if the hand was not detected
_ROI_PER_BODY = 1.25  # side of the body's region relative to the circle around the body (MediaPipe)

_NUM_BODY = 33
_BODY = np.array([-1 if p.body is None else p.body for p in POINTS])
_SIGMA = np.array([p.sigma for p in POINTS])
_ON_FACE = np.array([bool(p.face) for p in POINTS])
_FACE = np.array([p.face[0] if p.face else 0 for p in POINTS])


@dataclass(frozen=True)
class Direction:
    """Unit vector from the mean of points `start` to that of `end`, as measured by one of the landmark models."""

    source: str  # body, face, left (hand) or right (hand)
    start: tuple[str, ...]
    end: tuple[str, ...]
    sigma: float  # expected error: norm of the difference of unit vectors


def _side_directions(side: str) -> list[Direction]:
    chains = (
        ("shoulder", "elbow", 0.22),
        ("elbow", "wrist", 0.25),
        ("hip", "knee", 0.18),
        ("knee", "ankle", 0.18),
        ("heel", "big_toe", 0.25),
    )
    rows = [Direction("body", (f"{side}_{a}",), (f"{side}_{b}",), sigma) for a, b, sigma in chains]
    wrist, index, middle, pinky = (f"{side}_{n}" for n in ("wrist", "index1", "middle1", "pinky1"))
    rows.append(Direction("body", (wrist,), (index, pinky), 0.4))
    return [*rows, Direction(side, (wrist,), (middle,), 0.15), Direction(side, (pinky,), (index,), 0.15)]


_EYES = ("left_eye_outer", "right_eye_outer")
DIRECTIONS: tuple[Direction, ...] = (
    Direction("body", ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), 0.12),
    Direction("body", ("right_hip",), ("left_hip",), 0.15),
    Direction("body", ("right_shoulder",), ("left_shoulder",), 0.15),
    Direction("body", ("right_ear",), ("left_ear",), 0.2),
    Direction("body", ("left_ear", "right_ear"), ("nose",), 0.2),
    *_side_directions("left"),
    *_side_directions("right"),
    Direction("face", _EYES[1:], _EYES[:1], 0.08),
    Direction("face", _EYES, ("left_mouth", "right_mouth"), 0.08),
)


def direction_matrix() -> FloatArray:
    """Matrix `(D, K)` that combines `POINTS` to the vectors of `DIRECTIONS`."""
    matrix = np.zeros((len(DIRECTIONS), len(POINTS)))
    for row, direction in zip(matrix, DIRECTIONS, strict=True):
        row[[POINT_INDEX[name] for name in direction.start]] -= 1 / len(direction.start)
        row[[POINT_INDEX[name] for name in direction.end]] += 1 / len(direction.end)
    return matrix


@dataclass(frozen=True, eq=False)
class Measurements:
    """Measurements of one person; arrays as in `refinement.Targets`."""

    rays: FloatArray  # (K, 2)
    ray_weights: FloatArray  # (K,)
    directions: FloatArray  # (D, 3)
    direction_weights: FloatArray  # (D,)
    world: FloatArray  # (33, 3) metres, axes of the optical frame
    optical_from_ray: FloatArray  # (3, 3)


def measure(landmarks: PersonLandmarks, camera: Camera) -> Measurements:
    """Convert the landmarks of one person to measurements in the camera's optical frame."""
    visible = np.asarray(np.clip((landmarks.body.visibility - _GUESSED) / (_SEEN - _GUESSED), 0, 1))
    pixels, weights = _image_points(landmarks, visible)
    height = landmarks.body.roi[2] / _ROI_PER_BODY
    focal = float(np.sqrt(camera.k[0, 0] * camera.k[1, 1]))
    rays = camera.normalize(pixels)
    # World landmarks are relative to the viewing ray of the region's centre, not to the optical axis.
    optical_from_ray = rotation_between(np.array([0.0, 0.0, 1.0]), camera.directions(landmarks.body.roi[:2]))
    world = landmarks.body.world @ optical_from_ray.T
    directions, direction_weights = _directions(landmarks, visible)
    ok = np.asarray(np.isfinite(rays).all(axis=-1))
    return Measurements(
        np.where(ok[:, None], rays, 0.0),
        np.where(ok, weights * focal / height, 0.0),
        directions @ optical_from_ray.T,
        direction_weights,
        world,
        optical_from_ray,
    )


def body_pixels(points: FloatArray, camera: Camera) -> FloatArray:
    """Project `POINTS (K, 3)`, metres, to pixels of the body landmarks `(33, 2)`; NaN for those without a point."""
    pixels = np.full((_NUM_BODY, 2), np.nan)
    pixels[_BODY[_BODY >= 0]] = camera.project(points[_BODY >= 0])
    return pixels


def _hands(landmarks: PersonLandmarks) -> dict[str, HandLandmarks | None]:
    return {"left": landmarks.left_hand, "right": landmarks.right_hand}


def _image_points(landmarks: PersonLandmarks, visible: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pixels `(K, 2)`, and weights `(K,)` relative to the box height."""
    pixels = landmarks.body.points[_BODY, :2].copy()
    weights = np.where(_BODY >= 0, visible[_BODY] / _SIGMA, 0.0)
    for side, hand in _hands(landmarks).items():
        rows, points = _KNUCKLES[side]
        if hand is not None:
            pixels[rows], weights[rows] = hand.points[points, :2], 1 / _SIGMA[rows]
        else:
            weights[rows] *= _SIGMA[rows] / _HAND_GUESS_SIGMA
    if landmarks.face is not None:
        pixels[_ON_FACE] = landmarks.face.points[_FACE[_ON_FACE], :2]
        weights[_ON_FACE] = 1 / _FACE_SIGMA
    return pixels, weights


# Rows of POINTS that the hand model of each side measures, and its landmarks.
_KNUCKLES = {
    side: (
        [i for i, p in enumerate(POINTS) if p.hand is not None and p.name.startswith(side)],
        [p.hand for p in POINTS if p.hand is not None and p.name.startswith(side)],
    )
    for side in ("left", "right")
}


def _directions(landmarks: PersonLandmarks, visible: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit vectors `(D, 3)` relative to the viewing ray, and their weights `(D,)`."""
    vectors, weights = np.zeros((len(DIRECTIONS), 3)), np.zeros(len(DIRECTIONS))
    hands, face = _hands(landmarks), landmarks.face
    points = {side: None if hand is None else hand.world for side, hand in hands.items()}
    points |= {"body": landmarks.body.world, "face": None if face is None else face.points}
    for source, (rows, starts, ends, sigmas) in _SOURCES.items():
        seen = points[source]
        if seen is not None:
            vectors[rows] = seen[ends].mean(axis=1) - seen[starts].mean(axis=1)
            weights[rows] = 1 / sigmas
            if source == "body":
                weights[rows] *= np.minimum(visible[starts], visible[ends]).min(axis=1)
    for row, side in _HAND_GUESSES.items():
        if hands[side] is not None:
            vectors[row], weights[row] = 0.0, 0.0
    return normalized(vectors), weights


def _landmark_number(name: str, source: str) -> int:
    point = POINTS[POINT_INDEX[name]]
    if source == "body":
        assert point.body is not None
        return point.body
    if source == "face":
        return point.face[0]
    return 0 if point.hand is None else point.hand  # the wrist is point 0 of the hand


def _landmark_directions(source: str) -> tuple[list[int], NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Rows of DIRECTIONS of one source; landmarks `(n, 2)` of starts and ends, single ones repeated; sigmas `(n,)`."""
    chosen = [(i, d) for i, d in enumerate(DIRECTIONS) if d.source == source]
    starts, ends = (
        np.array([[_landmark_number(names[k], source) for k in (0, -1)] for names in sides])
        for sides in ([d.start for _, d in chosen], [d.end for _, d in chosen])
    )
    return [i for i, _ in chosen], starts, ends, np.array([d.sigma for _, d in chosen])


_SOURCES = {source: _landmark_directions(source) for source in ("body", "face", "left", "right")}
# Directions of the hand by the body model, which are replaced by the hand model's if the hand was detected.
_HAND_GUESSES = {
    i: d.start[0].split("_")[0]
    for i, d in enumerate(DIRECTIONS)
    if d.source == "body" and d.start[0].endswith("_wrist")
}
