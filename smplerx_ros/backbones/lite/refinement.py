"""Fit pose, translation and shape of a body to landmarks by damped least squares, batched over people.

The Levenberg-Marquardt method minimizes the sum of
* reprojection errors of body points, robust (Cauchy);
* a one-sided penalty on visible points in front of the camera's near plane;
* errors of unit vectors between groups of body points, compared with 3-D landmarks, robust (Cauchy);
* the pose prior, one-sided joint limits, the shape prior, and deviations from the predicted pose.
The Jacobian is analytic: rotating joint i by the small vector d in its own frame moves a dependent point X by
G_i d x (X - P_i), with G_i the joint's orientation and P_i its position (Lynch and Park, Modern Robotics, 2017, ch. 5).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.kinematics import LEVELS
from smplerx_ros.body.skeleton import IS_ANCESTOR, PARENTS
from smplerx_ros.geometry.camera import NEAR
from smplerx_ros.geometry.rotations import cross, quaternion_from_matrix, right_jacobian_inverse, skew

from .points import NUM_BODY_JOINTS, BodyPoints
from .pose_prior import PosePrior

_IMAGE_CAUCHY = 6.7  # scale of the robust cost, in standard deviations: larger errors are outliers
_DIRECTION_CAUCHY = 2.0
_LIMIT_PRECISION = 1 / 0.05**2  # 1/rad^2
_NEAR_PRECISION = 1 / 0.02**2  # 1/m^2
# Initial and minimum damping. Smaller values do not improve successful steps, but take several failures to increase.
_MIN_DAMPING = 1e-3
_CONVERGED = 0.1  # decrease of the cost in a step, in squared standard deviations, at which iterations end
_MAX_ROTATION = 0.6  # rad per step, the range of the linearization
# Number of blocks in which the normal equations are summed: OpenBLAS distributes larger products over threads that wait
# in busy loops, which takes many times as long if the cores are busy.
_NUM_BLOCKS = 3
_PARENT_OF = np.array(PARENTS[:NUM_BODY_JOINTS])
# Joints of each level below the root (consecutive indices), and their parents.
_LEVELS = [
    (slice(joints[0], joints[-1] + 1), _PARENT_OF[joints])
    for level in LEVELS
    if len(joints := level[level < NUM_BODY_JOINTS])
]
_EYE, _EYE_OF_BETAS = np.eye(3), np.eye(10)


@dataclass(frozen=True, eq=False)
class Pose:
    """Poses of N people in the optical frame."""

    rotations: FloatArray  # (N, 22, 3, 3) parent_from_joint
    transl: FloatArray  # (N, 3) metres
    betas: FloatArray  # (N, 10)

    def __getitem__(self, people: int | NDArray[np.intp]) -> Pose:
        """Select people; a single one is a batch, too."""
        rows = np.atleast_1d(people)
        return Pose(self.rotations[rows], self.transl[rows], self.betas[rows])

    def replaced(self, people: NDArray[np.intp], others: Pose) -> Pose:
        """Replace the poses of some people by `others`."""
        values = {field.name: getattr(self, field.name).copy() for field in fields(self)}
        for name, value in values.items():
            value[people] = getattr(others, name)
        return Pose(**values)


@dataclass(frozen=True, eq=False)
class Targets:
    """Measurements of N people; a weight is 1/standard deviation, or 0 if not measured."""

    rays: FloatArray  # (N, K, 2) x/z, y/z of POINTS
    ray_weights: FloatArray  # (N, K)
    directions: FloatArray  # (N, D, 3) unit vectors, optical frame
    direction_weights: FloatArray  # (N, D)
    stature: FloatArray  # (N,) metres, prior mean
    stature_weight: FloatArray  # (N,) 1/m
    previous: Pose  # prediction from the previous frame; its weights are 0 for new people
    rotation_weight: FloatArray  # (N,) 1/rad
    betas_weight: FloatArray  # (N,)

    def __getitem__(self, people: NDArray[np.intp]) -> Targets:
        """Select people."""
        return Targets(**{field.name: getattr(self, field.name)[people] for field in fields(self)})

    @cached_property
    def previous_inverse(self) -> Rotation:
        """Rotations joint_from_parent of the predicted poses, `N * 22`."""
        return _rotations(self.previous.rotations).inv()


@dataclass(frozen=True, eq=False)
class _State:
    """A pose with all quantities that its cost depends on."""

    quaternions: FloatArray  # (N, 22, 4) of the pose's rotations
    rotations: FloatArray  # (N, 22, 3, 3)
    transl: FloatArray  # (N, 3)
    betas: FloatArray  # (N, 10)
    orientations: FloatArray  # (N, 22, 3, 3) optical_from_joint
    joints: FloatArray  # (N, 22, 3) metres, optical frame
    points: FloatArray  # (N, K, 3) metres, optical frame
    rotvecs: FloatArray  # (N, F, 3)
    motion: FloatArray  # (N, F, 3) rotation vectors from the predicted pose
    image_errors: FloatArray  # (N, K, 2), in standard deviations
    units: FloatArray  # (N, D, 3) unit vectors on the body
    lengths: FloatArray  # (N, D) their lengths before normalization, metres
    direction_errors: FloatArray  # (N, D, 3), in standard deviations
    cost: FloatArray  # (N,)
    inertia: FloatArray  # (N,) its part for deviations from the predicted rotations

    def where(self, condition: NDArray[np.bool_], other: _State) -> _State:
        """Select this state where `condition (N,)`, otherwise `other`."""
        if condition.all():
            return self
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return _State(*(np.where(condition.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))


class Refiner:
    """Fits poses to targets.

    Args:
        points: Points and joints of the body.
        prior: Pose prior.
        directions: `(D, K)` matrix that combines `POINTS` to the vectors of `Targets.directions`.
    """

    def __init__(self, points: BodyPoints, prior: PosePrior, directions: FloatArray) -> None:
        self._stature = points.stature
        self._stature_product = np.outer(points.stature[1:], points.stature[1:])
        self._prior = prior
        self._directions = directions
        # Offsets of joints and points from their parent joints, in the parents' frames. Positions are the root's
        # position, which no rotation affects, plus the sum of the rotated offsets along the chain.
        rest, owners = points.joints_rest, points.owners
        self._root = rest[0]  # (3, 11)
        self._parents = np.concatenate([np.maximum(_PARENT_OF, 0), owners])
        self._bones = np.concatenate([rest - rest[np.maximum(_PARENT_OF, 0)], points.points_rest - rest[owners]])
        in_chain = IS_ANCESTOR[:NUM_BODY_JOINTS, :NUM_BODY_JOINTS]
        self._sums = np.block(
            [
                [in_chain, np.zeros((NUM_BODY_JOINTS, len(owners)))],
                [in_chain[owners], np.eye(len(owners))],
            ]
        ).astype(np.float64)
        depends = IS_ANCESTOR[np.ix_(owners, prior.joints)]  # (K, F)
        self._depends = np.repeat(depends, 3, axis=1)[:, None].astype(np.float64)  # (K, 1, 3 F)
        size, columns = 3 * len(prior.joints) + 13, np.arange(3 * len(prior.joints)).reshape(-1, 3)
        self._diagonal = np.arange(size) * (size + 1)  # indices into the flattened Hessian
        self._blocks = (columns[:, :, None] * size + columns[:, None, :]).ravel()  # 3x3 block of each joint

    def refine(self, targets: Targets, start: Pose, iterations: int) -> tuple[Pose, FloatArray]:
        """Refine poses from `start`.

        Returns:
            The poses, and their costs `(N,)` without the deviations from the predicted rotations.
        """
        state = self._evaluate(start, targets)
        damping: FloatArray = np.full(len(state.cost), _MIN_DAMPING)
        converged = np.zeros(len(damping), bool)
        for _ in range(iterations):
            trial = self._stepped(state, self._step(state, targets, damping), targets)
            gain = state.cost - trial.cost
            damping = np.where(gain > 0, np.maximum(damping * 0.2, _MIN_DAMPING), damping * 10)
            state = trial.where(gain > 0, state)
            converged |= (gain > 0) & (gain < _CONVERGED)
            if converged.all():
                break
        return Pose(state.rotations, state.transl, state.betas), state.cost - state.inertia

    def costs(self, targets: Targets, pose: Pose) -> FloatArray:
        """Cost that `refine` minimizes, `(N,)`."""
        return self._evaluate(pose, targets).cost

    def points(self, pose: Pose) -> FloatArray:
        """`POINTS` of the posed bodies, `(N, K, 3)`, metres, optical frame."""
        return self._positions(self.orientations(pose), pose)[:, NUM_BODY_JOINTS:]

    def orientations(self, pose: Pose) -> FloatArray:
        """Rotations optical_from_joint `(N, 22, 3, 3)`."""
        orientations = pose.rotations.copy()
        for joints, parents in _LEVELS:
            orientations[:, joints] = orientations[:, parents] @ orientations[:, joints]
        return orientations

    # ---- forward model
    def _positions(self, orientations: FloatArray, pose: Pose) -> FloatArray:
        """Positions of joints and points `(N, 22 + K, 3)`, metres."""
        bones = self._bones[..., 0] + (self._bones[..., 1:] @ pose.betas.T).transpose(2, 0, 1)
        turned = (orientations[:, self._parents] @ bones[..., None])[..., 0]
        root = self._root[:, 0] + pose.betas @ self._root[:, 1:].T + pose.transl
        return np.asarray(self._sums @ turned + root[:, None])

    def _point_slopes(self, state: _State) -> FloatArray:
        """Derivatives of the points by the betas, `(N, K, 3, 10)`."""
        turned = state.orientations[:, self._parents] @ self._bones[..., 1:]
        moved = self._sums[NUM_BODY_JOINTS:] @ turned.reshape(len(turned), len(self._sums), -1)
        return np.asarray(moved.reshape(len(turned), -1, 3, 10) + self._root[:, 1:])

    def _evaluate(self, pose: Pose, targets: Targets) -> _State:
        return self._state(_rotations(pose.rotations), pose.transl, pose.betas, targets)

    def _state(self, rotations: Rotation, transl: FloatArray, betas: FloatArray, targets: Targets) -> _State:
        n, joints = len(transl), self._prior.joints
        pose = Pose(rotations.as_matrix().reshape(n, NUM_BODY_JOINTS, 3, 3), transl, betas)
        orientations = self.orientations(pose)
        positions = self._positions(orientations, pose)
        points = positions[:, NUM_BODY_JOINTS:]
        rotvecs = rotations.as_rotvec().reshape(n, NUM_BODY_JOINTS, 3)[:, joints]
        motion = (targets.previous_inverse * rotations).as_rotvec().reshape(n, NUM_BODY_JOINTS, 3)[:, joints]
        image = (points[..., :2] / np.maximum(points[..., 2:], NEAR) - targets.rays) * targets.ray_weights[..., None]
        vectors = self._directions @ points
        lengths = np.maximum(np.sqrt(_squared(vectors)), 1e-6)
        units = vectors / lengths[..., None]
        direction = (units - targets.directions) * targets.direction_weights[..., None]
        cost = _cauchy(_squared(image), _IMAGE_CAUCHY).sum(1) + _cauchy(_squared(direction), _DIRECTION_CAUCHY).sum(1)
        inertia = _squared(motion).sum(1) * targets.rotation_weight**2
        cost += self._prior_cost(rotvecs) + inertia
        cost += _squared(betas) + _squared(betas - targets.previous.betas) * targets.betas_weight**2
        cost += self._stature_error(betas, targets) ** 2
        cost += _NEAR_PRECISION * (_near_violation(points, targets) ** 2).sum(1)
        return _State(
            quaternions=rotations.as_quat().reshape(n, NUM_BODY_JOINTS, 4),
            rotations=pose.rotations,
            transl=transl,
            betas=betas,
            orientations=orientations,
            joints=positions[:, :NUM_BODY_JOINTS],
            points=points,
            rotvecs=rotvecs,
            motion=motion,
            image_errors=image,
            units=units,
            lengths=lengths,
            direction_errors=direction,
            cost=cost,
            inertia=inertia,
        )

    def _prior_cost(self, rotvecs: FloatArray) -> FloatArray:
        errors, outside = self._prior_errors(rotvecs)
        return np.asarray((errors**2 * self._prior.precision + outside**2 * _LIMIT_PRECISION).sum((1, 2)))

    def _prior_errors(self, rotvecs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Deviations from the mean and beyond the limits, `(N, F, 3)` each, radians."""
        prior = self._prior
        return rotvecs - prior.mean, rotvecs - np.minimum(np.maximum(rotvecs, prior.low), prior.high)

    def _stature_error(self, betas: FloatArray, targets: Targets) -> FloatArray:
        """Deviation from the prior stature `(N,)`, in standard deviations."""
        stature = self._stature[0] + betas @ self._stature[1:]
        return np.asarray((stature - targets.stature) * targets.stature_weight)

    # ---- one step
    def _step(self, state: _State, targets: Targets, damping: FloatArray) -> FloatArray:
        """Compute a step `(N, 3 F + 13)`: joint rotations, translation, betas."""
        hessian, gradient = self._normal_equations(state, targets)
        flat = hessian.reshape(len(hessian), -1)
        flat[:, self._diagonal] = flat[:, self._diagonal] * (1 + damping[:, None]) + 1e-6
        return np.asarray(-np.linalg.solve(hessian, gradient[..., None])[..., 0])

    def _normal_equations(self, state: _State, targets: Targets) -> tuple[FloatArray, FloatArray]:
        """Halves of the Gauss-Newton Hessian `(N, P, P)` and the gradient `(N, P)` of the cost, P = 3 F + 13."""
        jacobian, errors = self._data_terms(state, targets)
        transposed = np.swapaxes(jacobian, -1, -2)
        hessian, gradient = (transposed @ jacobian).sum(1), (transposed @ errors[..., None])[..., 0].sum(1)
        self._add_near_plane(state, targets, hessian, gradient)
        self._add_rotation_priors(state, targets, hessian, gradient)
        self._add_shape_priors(state, targets, hessian, gradient)
        return hessian, gradient

    def _data_terms(self, state: _State, targets: Targets) -> tuple[FloatArray, FloatArray]:
        """Weighted Jacobian `(N, blocks, R, P)` and errors `(N, blocks, R)` of image points and directions."""
        moved = self._point_jacobian(state)
        n, k, _, size = moved.shape
        d = state.units.shape[1]
        image, direction = state.image_errors, state.direction_errors
        image_weight = _cauchy_weight(image, _IMAGE_CAUCHY)
        direction_weight = _cauchy_weight(direction, _DIRECTION_CAUCHY)
        rows = -(-(2 * k + 3 * d) // _NUM_BLOCKS) * _NUM_BLOCKS  # padded with zeros
        jacobian, errors = np.zeros((n, rows, size)), np.zeros((n, rows))
        errors[:, : 2 * k] = (image * image_weight).reshape(n, -1)
        errors[:, 2 * k : 2 * k + 3 * d] = (direction * direction_weight).reshape(n, -1)
        depths = np.maximum(state.points[..., 2:], NEAR)
        scale = image_weight * targets.ray_weights[..., None] / depths
        rays = state.points[..., :2] / depths * (state.points[..., 2:] > NEAR)
        rays_moved = (moved[:, :, :2] - rays[..., None] * moved[:, :, 2:]) * scale[..., None]
        jacobian[:, : 2 * k] = rays_moved.reshape(n, -1, size)
        vectors_moved = (self._directions @ moved.reshape(n, k, -1)).reshape(n, d, 3, size)
        # A unit vector changes by the component of the motion that is orthogonal to it.
        projection = _EYE - state.units[..., :, None] * state.units[..., None, :]
        projection *= (direction_weight * (targets.direction_weights / state.lengths)[..., None])[..., None]
        jacobian[:, 2 * k : 2 * k + 3 * d] = (projection @ vectors_moved).reshape(n, -1, size)
        return jacobian.reshape(n, _NUM_BLOCKS, -1, size), errors.reshape(n, _NUM_BLOCKS, -1)

    def _add_near_plane(self, state: _State, targets: Targets, hessian: FloatArray, gradient: FloatArray) -> None:
        """Penalize visible points in front of the near plane."""
        missing = _near_violation(state.points, targets)
        if missing.any():
            along = self._point_jacobian(state)[:, :, 2] * (missing > 0)[..., None]  # (N, K, 3 F + 13)
            hessian += _NEAR_PRECISION * np.swapaxes(along, 1, 2) @ along
            gradient -= _NEAR_PRECISION * (missing[:, None] @ along)[:, 0]

    def _point_jacobian(self, state: _State) -> FloatArray:
        """Derivatives of the points by the unknowns, `(N, K, 3, 3 F + 13)`."""
        n, k = state.points.shape[:2]
        axes = state.orientations[:, self._prior.joints]  # columns: rotation axes of each joint
        about = np.swapaxes(axes, -1, -2)  # (N, F, 3, 3) one axis per row
        moments = cross(state.joints[:, self._prior.joints, None], about)  # d x (X - P) = P x d - X x d
        size = 3 * axes.shape[1]
        moved = np.empty((n, k, 3, size + 13))
        about, moments = (np.swapaxes(part.reshape(n, size, 3), 1, 2)[:, None] for part in (about, moments))
        moved[..., :size] = (moments - skew(state.points) @ about) * self._depends
        moved[..., size : size + 3] = _EYE
        moved[..., size + 3 :] = self._point_slopes(state)
        return moved

    def _add_rotation_priors(self, state: _State, targets: Targets, hessian: FloatArray, gradient: FloatArray) -> None:
        """Add prior, limits and predicted pose of each joint: 3x3 blocks on the diagonal."""
        errors, outside = self._prior_errors(state.rotvecs)
        precision = self._prior.precision + (outside != 0) * _LIMIT_PRECISION
        pull = self._prior.precision * errors + _LIMIT_PRECISION * outside
        slopes = right_jacobian_inverse(state.rotvecs)  # (N, F, 3, 3)
        transposed = np.swapaxes(slopes, -1, -2)
        inertia = targets.rotation_weight[:, None, None] ** 2
        blocks = transposed @ (precision[..., None] * slopes) + inertia[..., None] * _EYE
        pulls = (transposed @ pull[..., None])[..., 0] + inertia * state.motion
        n = len(pulls)
        hessian.reshape(n, -1)[:, self._blocks] += blocks.reshape(n, -1)
        gradient[:, :-13] += pulls.reshape(n, -1)

    def _add_shape_priors(self, state: _State, targets: Targets, hessian: FloatArray, gradient: FloatArray) -> None:
        slope, betas = self._stature[1:], state.betas
        weight, inertia = targets.stature_weight[:, None] ** 2, targets.betas_weight[:, None] ** 2
        hessian[:, -10:, -10:] += weight[..., None] * self._stature_product + (1 + inertia)[..., None] * _EYE_OF_BETAS
        gradient[:, -10:] += betas + inertia * (betas - targets.previous.betas)
        gradient[:, -10:] += (targets.stature_weight * self._stature_error(betas, targets))[:, None] * slope

    def _stepped(self, state: _State, step: FloatArray, targets: Targets) -> _State:
        n, joints = len(step), self._prior.joints
        rotvecs = np.zeros((n, NUM_BODY_JOINTS, 3))
        rotvecs[:, joints] = step[:, :-13].reshape(n, -1, 3)
        rotvecs *= np.minimum(1, _MAX_ROTATION / np.maximum(np.sqrt(_squared(rotvecs)), 1e-9))[..., None]
        rotations = Rotation.from_quat(state.quaternions.reshape(-1, 4)) * Rotation.from_rotvec(rotvecs.reshape(-1, 3))
        return self._state(rotations, state.transl + step[:, -13:-10], state.betas + step[:, -10:], targets)


def _rotations(matrices: FloatArray) -> Rotation:
    """Convert matrices `(..., 3, 3)` to a flat sequence of rotations."""
    return Rotation.from_quat(quaternion_from_matrix(matrices).reshape(-1, 4))


def _squared(vectors: FloatArray) -> FloatArray:
    """Squared lengths `(...)` of vectors `(..., n)`."""
    return np.asarray(np.einsum("...i,...i->...", vectors, vectors))


def _near_violation(points: FloatArray, targets: Targets) -> FloatArray:
    """Distances of visible points to the near plane in front of it, `(N, K)`, metres; otherwise 0."""
    return np.asarray(np.maximum(NEAR - points[..., 2], 0) * (targets.ray_weights > 0))


def _cauchy(squared: FloatArray, scale: float) -> FloatArray:
    """Cauchy's robust cost of squared errors (Black and Rangarajan, IJCV 1996)."""
    return np.asarray(scale**2 * np.log1p(squared / scale**2))


def _cauchy_weight(errors: FloatArray, scale: float) -> FloatArray:
    """Factors `(..., 1)` for errors `(..., n)` of iteratively reweighted least squares with Cauchy's cost."""
    return np.asarray(1 / np.sqrt(1 + _squared(errors)[..., None] / scale**2))
