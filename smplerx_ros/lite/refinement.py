"""Pose, place and shape of a body that agree best with landmarks: damped least squares, batched over people.

Levenberg-Marquardt on the sum of
* image points: distance between projected body points and landmarks, robust (Cauchy);
* directions: difference of unit vectors between groups of body points and what the landmark models see in 3-D, robust;
* the pose prior, one-sided joint limits, the shape's prior, and the previous frame's pose.
The Jacobian is analytic: turning joint i by the small vector d in its own frame moves a point X that it carries by
G_i d x (X - P_i), with G_i the joint's orientation and P_i its place (Lynch and Park, Modern Robotics, 2017, ch. 5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..body.skeleton import IS_ANCESTOR, PARENTS
from ..geometry.rotations import matrix_from_rotvec, right_jacobian_inverse, rotvec_from_matrix, skew
from .points import NUM_BODY_JOINTS, BodyPoints
from .pose_prior import PosePrior

FloatArray = NDArray[np.floating[Any]]

_IMAGE_CAUCHY = 6.7  # standard deviations beyond which a landmark counts as an outlier
_DIRECTION_CAUCHY = 2.0
_LIMIT_PRECISION = 1 / 0.05**2  # 1/rad^2
_FIRST_DAMPING = 1e-3
_LARGEST_TURN = 0.6  # rad a step: beyond, the linearisation says nothing


@dataclass(frozen=True)
class Pose:
    """`rotations (N, 22, 3, 3)` parent_from_joint, `transl (N, 3)` metres, `betas (N, 10)`; optical frame."""

    rotations: FloatArray
    transl: FloatArray
    betas: FloatArray

    def __getitem__(self, index: int) -> Pose:
        """One person of the batch, as a batch of one."""
        one = slice(index, index + 1)
        return Pose(self.rotations[one], self.transl[one], self.betas[one])

    def where(self, condition: NDArray[np.bool_], other: Pose) -> Pose:
        """This pose where `condition (N,)`, else the other."""
        return Pose(
            np.where(condition[:, None, None, None], self.rotations, other.rotations),
            np.where(condition[:, None], self.transl, other.transl),
            np.where(condition[:, None], self.betas, other.betas),
        )


@dataclass(frozen=True)
class Targets:
    """What the landmarks say of N people. A weight is 1/standard deviation; 0 = not seen."""

    rays: FloatArray  # (N, K, 2) x/z, y/z of POINTS
    ray_weights: FloatArray  # (N, K)
    directions: FloatArray  # (N, D, 3) unit vectors, optical frame
    direction_weights: FloatArray  # (N, D)
    stature: FloatArray  # (N,) metres, expected
    stature_weight: FloatArray  # (N,) 1/m
    previous: Pose  # of the frame before; its weights are 0 where there was none
    rotation_weight: FloatArray  # (N,) 1/rad
    betas_weight: FloatArray  # (N,)


@dataclass(frozen=True)
class _State:
    """A pose with its kinematics: orientations, places and points carry a column for each beta's slope."""

    pose: Pose
    orientations: FloatArray  # (N, 22, 3, 3) optical_from_joint
    places: FloatArray  # (N, 22, 3)
    points: FloatArray  # (N, K, 3)
    point_slopes: FloatArray  # (N, K, 3, 10)
    rotvecs: FloatArray  # (N, F, 3)
    turned: FloatArray  # (N, F, 3) since the previous frame
    cost: FloatArray  # (N,)


class Refiner:
    """Fits poses to targets; `directions (D, K)` combines `POINTS` into the vectors of `Targets.directions`."""

    def __init__(self, points: BodyPoints, prior: PosePrior, directions: FloatArray) -> None:
        self._points = points
        self._prior = prior
        self._directions = directions
        self._carries = IS_ANCESTOR[np.ix_(points.owners, prior.joints)]  # (K, F)

    def refine(self, targets: Targets, start: Pose, iterations: int) -> Pose:
        """The best pose found from `start` in at most `iterations` steps."""
        state = self._evaluate(start, targets)
        damping: FloatArray = np.full(len(start.transl), _FIRST_DAMPING)
        for _ in range(iterations):
            step = self._step(state, targets, damping)
            trial = self._evaluate(self._moved(state.pose, step), targets)
            better = trial.cost < state.cost
            damping = np.where(better, damping * 0.2, damping * 10)
            state = self._evaluate(trial.pose.where(better, state.pose), targets) if not better.all() else trial
        return state.pose

    def costs(self, targets: Targets, pose: Pose) -> FloatArray:
        """`(N,)` what `refine` minimises."""
        return self._evaluate(pose, targets).cost

    def places(self, pose: Pose) -> FloatArray:
        """`(N, K, 3)` metres: `POINTS` of the posed body, optical frame."""
        return self._kinematics(pose)[2][..., 0] + pose.transl[:, None]

    def orientations(self, pose: Pose) -> FloatArray:
        """`(N, 22, 3, 3)` optical_from_joint."""
        return self._kinematics(pose)[0]

    # ---- forward
    def _kinematics(self, pose: Pose) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Orientations, places (N, 22, 3, 11), points (N, K, 3, 11) before translation: values, slopes in the betas."""
        rest, n = self._points.joints_rest, len(pose.transl)
        orientations = np.empty((n, NUM_BODY_JOINTS, 3, 3))
        places = np.empty((n, NUM_BODY_JOINTS, 3, 11))
        orientations[:, 0], places[:, 0] = pose.rotations[:, 0], rest[0]
        for joint in range(1, NUM_BODY_JOINTS):
            parent = PARENTS[joint]
            orientations[:, joint] = orientations[:, parent] @ pose.rotations[:, joint]
            places[:, joint] = places[:, parent] + orientations[:, parent] @ (rest[joint] - rest[parent])
        owners = self._points.owners
        points = places[:, owners] + orientations[:, owners] @ (self._points.points_rest - rest[owners])
        for array in (places, points):
            array[..., 0] += np.einsum("nkcb,nb->nkc", array[..., 1:], pose.betas)
        return orientations, places, points

    def _evaluate(self, pose: Pose, targets: Targets) -> _State:
        orientations, places, points = self._kinematics(pose)
        moving = pose.rotations[:, self._prior.joints]
        before = targets.previous.rotations[:, self._prior.joints]
        rotvecs = rotvec_from_matrix(np.stack([moving, np.swapaxes(before, -1, -2) @ moving]))
        state = _State(
            pose,
            orientations,
            places[..., 0] + pose.transl[:, None],
            points[..., 0] + pose.transl[:, None],
            points[..., 1:],
            rotvecs[0],
            rotvecs[1],
            cost=np.zeros(len(pose.transl)),
        )
        return replace(state, cost=self._cost(state, targets))

    def _cost(self, state: _State, targets: Targets) -> FloatArray:
        image = np.sum(self._image_errors(state, targets) ** 2, axis=-1)
        direction = np.sum(self._direction_errors(state, targets)[0] ** 2, axis=-1)
        prior, outside = self._prior_errors(state)
        cost = _cauchy(image, _IMAGE_CAUCHY).sum(1) + _cauchy(direction, _DIRECTION_CAUCHY).sum(1)
        cost += (prior**2 * self._prior.precision).sum((1, 2)) + (outside**2).sum((1, 2)) * _LIMIT_PRECISION
        cost += (state.turned**2).sum((1, 2)) * targets.rotation_weight**2
        betas = state.pose.betas
        cost += (betas**2).sum(1) + ((betas - targets.previous.betas) ** 2).sum(1) * targets.betas_weight**2
        return np.where(state.points[..., 2].min(1) > 0, cost + self._stature_error(state, targets) ** 2, np.inf)

    # ---- errors, in standard deviations except for the prior's
    def _image_errors(self, state: _State, targets: Targets) -> FloatArray:
        rays = state.points[..., :2] / state.points[..., 2:]
        return np.asarray((rays - targets.rays) * targets.ray_weights[..., None])

    def _direction_errors(self, state: _State, targets: Targets) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Errors (N, D, 3), unit vectors of the body (N, D, 3) and their lengths in metres (N, D, 1)."""
        vectors = self._directions @ state.points
        lengths = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
        units = vectors / lengths
        return (units - targets.directions) * targets.direction_weights[..., None], units, lengths

    def _prior_errors(self, state: _State) -> tuple[FloatArray, FloatArray]:
        """Radians from the mean and beyond the limits, (N, F, 3) each."""
        prior = self._prior
        return state.rotvecs - prior.mean, state.rotvecs - np.clip(state.rotvecs, prior.low, prior.high)

    def _stature_error(self, state: _State, targets: Targets) -> FloatArray:
        stature = self._points.stature[0] + state.pose.betas @ self._points.stature[1:]
        return np.asarray((stature - targets.stature) * targets.stature_weight)

    # ---- one step
    def _step(self, state: _State, targets: Targets, damping: FloatArray) -> FloatArray:
        """`(N, 3 F + 13)`: joint turns, translation, betas."""
        hessian, gradient = self._normal_equations(state, targets)
        diagonal = np.arange(hessian.shape[-1])
        hessian[:, diagonal, diagonal] *= 1 + damping[:, None]
        hessian[:, diagonal, diagonal] += 1e-6
        return np.asarray(-np.linalg.solve(hessian, gradient[..., None])[..., 0])

    def _normal_equations(self, state: _State, targets: Targets) -> tuple[FloatArray, FloatArray]:
        """Gauss-Newton's half Hessian `(N, P, P)` and half gradient `(N, P)` of the cost, P = 3 F + 13."""
        jacobian, errors = self._data_terms(state, targets)
        transposed = np.swapaxes(jacobian, 1, 2)
        hessian, gradient = transposed @ jacobian, (transposed @ errors[..., None])[..., 0]
        self._add_rotation_priors(state, targets, hessian, gradient)
        self._add_shape_priors(state, targets, hessian, gradient)
        return hessian, gradient

    def _data_terms(self, state: _State, targets: Targets) -> tuple[FloatArray, FloatArray]:
        """Weighted Jacobian (N, R, 3 F + 13) and errors (N, R) of image points and directions."""
        n, moved = len(state.cost), self._point_jacobian(state)
        image, (direction, units, lengths) = self._image_errors(state, targets), self._direction_errors(state, targets)
        image_weight = _cauchy_weight(image, _IMAGE_CAUCHY)
        direction_weight = _cauchy_weight(direction, _DIRECTION_CAUCHY)
        z = state.points[..., 2, None, None]
        rays = state.points[..., :2, None] / z
        rays_moved = (moved[:, :, :2] - rays * moved[:, :, 2:]) / z
        rays_moved *= (image_weight * targets.ray_weights[..., None])[..., None]
        k, size = moved.shape[1], moved.shape[-1]
        vectors_moved = (self._directions @ moved.reshape(n, k, -1)).reshape(n, -1, 3, size)
        along = units[..., None] * np.sum(units[..., None] * vectors_moved, axis=2, keepdims=True)
        units_moved = (vectors_moved - along) / lengths[..., None]
        units_moved *= (direction_weight * targets.direction_weights[..., None])[..., None]
        jacobian = np.concatenate([rays_moved.reshape(n, -1, size), units_moved.reshape(n, -1, size)], axis=1)
        errors = np.concatenate(
            [(image * image_weight).reshape(n, -1), (direction * direction_weight).reshape(n, -1)], axis=1
        )
        return jacobian, errors

    def _point_jacobian(self, state: _State) -> FloatArray:
        """`(N, K, 3, 3 F + 13)`: how each point moves with each unknown."""
        n, k = state.points.shape[:2]
        joints = self._prior.joints
        levers = (state.points[:, :, None] - state.places[:, None, joints]) * self._carries[..., None]
        turns = skew(-levers) @ state.orientations[:, None, joints]  # (N, K, F, 3, 3)
        shift = np.broadcast_to(np.eye(3), (n, k, 3, 3))
        return np.concatenate([np.swapaxes(turns, 2, 3).reshape(n, k, 3, -1), shift, state.point_slopes], axis=-1)

    def _add_rotation_priors(self, state: _State, targets: Targets, hessian: FloatArray, gradient: FloatArray) -> None:
        """Prior, limits and previous pose act on each joint alone: 3x3 blocks on the diagonal."""
        errors, outside = self._prior_errors(state)
        precision = self._prior.precision + (outside != 0) * _LIMIT_PRECISION
        pull = self._prior.precision * errors + _LIMIT_PRECISION * outside
        slopes = right_jacobian_inverse(state.rotvecs)  # (N, F, 3, 3)
        transposed = np.swapaxes(slopes, -1, -2)
        inertia = targets.rotation_weight[:, None, None] ** 2
        blocks = transposed @ (precision[..., None] * slopes) + inertia[..., None] * np.eye(3)
        pulls = (transposed @ pull[..., None])[..., 0] + inertia * state.turned
        n, f = pulls.shape[:2]
        rows = np.arange(3 * f).reshape(f, 3)
        hessian[:, rows[:, :, None], rows[:, None, :]] += blocks
        gradient[:, : 3 * f] += pulls.reshape(n, -1)

    def _add_shape_priors(self, state: _State, targets: Targets, hessian: FloatArray, gradient: FloatArray) -> None:
        slope, betas = self._points.stature[1:], state.pose.betas
        weight, inertia = targets.stature_weight[:, None] ** 2, targets.betas_weight[:, None] ** 2
        hessian[:, -10:, -10:] += weight[..., None] * np.outer(slope, slope) + (1 + inertia)[..., None] * np.eye(10)
        gradient[:, -10:] += betas + inertia * (betas - targets.previous.betas)
        gradient[:, -10:] += targets.stature_weight[:, None] * self._stature_error(state, targets)[:, None] * slope

    def _moved(self, pose: Pose, step: FloatArray) -> Pose:
        joints = self._prior.joints
        turns = step[:, : 3 * len(joints)].reshape(len(step), -1, 3)
        turns = turns * np.minimum(1, _LARGEST_TURN / np.maximum(np.linalg.norm(turns, axis=-1, keepdims=True), 1e-9))
        rotations = pose.rotations.copy()
        rotations[:, joints] = rotations[:, joints] @ matrix_from_rotvec(turns)
        return Pose(rotations, pose.transl + step[:, -13:-10], pose.betas + step[:, -10:])


def _cauchy(squared: FloatArray, scale: float) -> FloatArray:
    """Cauchy's robust cost of squared errors (Black and Rangarajan, IJCV 1996)."""
    return np.asarray(scale**2 * np.log1p(squared / scale**2))


def _cauchy_weight(errors: FloatArray, scale: float) -> FloatArray:
    """`(..., 1)` factor on errors `(..., n)` that gives their squares the slope of Cauchy's cost."""
    return np.asarray(1 / np.sqrt(1 + np.sum(errors**2, axis=-1, keepdims=True) / scale**2))
