"""SMPLer-X and SMPLest-X as the estimator's backbone: crops of boxes in, bodies in the real camera out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel
from smplerx_ros.body.stature import resized
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.crops import crop_box, optical_from_crop, solve_translation
from smplerx_ros.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from smplerx_ros.types import BodyEstimate, Observation, SmplxParams, is_finite

from .model import Model


class NetworkBackbone:
    """Estimates each box anew. The networks do not say whether a person is there: detections must confirm it.

    `person_height` in metres fixes size and distance; with None they follow from the betas that the network answers.
    """

    confirms_people = False

    def __init__(self, model: Model, body: BodyModel, person_height: float | None = None) -> None:
        self.name = model.backbone.name
        self._model = model
        self._body = body
        self._person_height = person_height

    @property
    def runtime(self) -> str:
        """Runtime, what it runs on, and its precision."""
        return f"{self._model.network.provider} {self._model.precision}"

    def forget(self, ids: Collection[str]) -> None:
        """Nothing is remembered."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        """One answer per observation; None where the box hardly reaches into the image or the answer is not finite."""
        regions = [self._region(observation) for observation in observations]
        kept = [(i, region) for i, region in enumerate(regions) if region is not None]
        answers: list[BodyEstimate | None] = [None] * len(observations)
        if not kept:
            return answers
        images = [observations[i].frame.image for i, _ in kept]
        prediction = self._model.predict_regions(images, [region for _, region in kept])
        params, confidence = prediction.params, prediction.confidence
        pelvis = self._body.rest_joints(params.betas, params.expression)[:, 0]
        joints = self._body.joints(params)
        usable = is_finite(params) & np.isfinite(joints).all(axis=(1, 2))
        for k, (i, region) in enumerate(kept):
            placed = _in_camera(params[k], pelvis[k], joints[k], region, observations[i]) if usable[k] else None
            if placed is not None:
                placed = self._of_given_height(placed)
                answers[i] = BodyEstimate(observations[i].box.score, placed, confidence[k])
        return answers

    def _of_given_height(self, params: SmplxParams) -> SmplxParams:
        if self._person_height is None:
            return params
        return resized(self._body, params, self._person_height / float(self._body.stature(params.betas)[0]))

    def _region(self, observation: Observation) -> FloatArray | None:
        """What to crop: round the part of the box in the image, as detectors give it; boxes of followed people pass it.

        `crop_box` would move a box that begins left of the image into it, and somebody who left would stay there.
        """
        height, width = observation.frame.image.shape[:2]
        box = observation.box
        if box.x1 <= 0 or box.y1 <= 0:
            return None
        cut = replace(box, x0=max(0.0, box.x0), y0=max(0.0, box.y0))
        return crop_box(cut, width, height, self._model.backbone.box_ratio)


def _in_camera(
    params: SmplxParams, pelvis: FloatArray, joints: FloatArray, region: FloatArray, seen: Observation
) -> SmplxParams | None:
    """From the crop's virtual camera to the frame's; `pelvis (3,)` at rest, `joints (55, 3)` in the crop's camera."""
    camera = seen.frame.camera
    assert isinstance(camera, Camera)
    turn = optical_from_crop(region, camera)
    place = solve_translation(joints, (joints - joints[0]) @ turn.T, region, camera)
    turned = turn @ matrix_from_rotvec(params.global_orient)
    if not (np.isfinite(place).all() and np.isfinite(turned).all() and place[2] > 0):
        return None
    return replace(params, global_orient=rotvec_from_matrix(turned), transl=place - pelvis)
