"""The `Backbone` interface for SMPLer-X and SMPLest-X: crops people, and transforms bodies to the real camera."""

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
    """Estimates the body in each box independently; detections must confirm that there is a person.

    Args:
        model: The network.
        body: The body model.
        person_height: Height of the people in metres, which determines size and distance; None to use the network's
            betas.
    """

    confirms_people = False

    def __init__(self, model: Model, body: BodyModel, person_height: float | None = None) -> None:
        self.name = model.backbone.name
        self._model = model
        self._body = body
        self._person_height = person_height

    @property
    def runtime(self) -> str:
        """Device or execution provider, and precision."""
        return f"{self._model.network.provider} {self._model.precision}"

    def forget(self, ids: Collection[str]) -> None:
        """Nothing is remembered."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        """Estimate the bodies of all observations, whose frames have a camera.

        Returns:
            One estimate per observation; None if the box hardly overlaps the image or the prediction is non-finite.
        """
        regions = [self._region(observation) for observation in observations]
        kept = [(i, region) for i, region in enumerate(regions) if region is not None]
        estimates: list[BodyEstimate | None] = [None] * len(observations)
        if not kept:
            return estimates
        images = [observations[i].frame.image for i, _ in kept]
        prediction = self._model.predict_regions(images, [region for _, region in kept])
        params, confidence = prediction.params, prediction.confidence
        pelvis = self._body.rest_joints(params.betas, params.expression)[:, 0]
        joints = self._body.joints(params)
        usable = is_finite(params) & np.isfinite(joints).all(axis=(1, 2))
        for k, (i, region) in enumerate(kept):
            found = _in_camera(params[k], pelvis[k], joints[k], region, observations[i]) if usable[k] else None
            if found is not None:
                found = self._with_given_height(found)
                estimates[i] = BodyEstimate(observations[i].box.score, found, confidence[k])
        return estimates

    def _with_given_height(self, params: SmplxParams) -> SmplxParams:
        if self._person_height is None:
            return params
        return resized(self._body, params, self._person_height / float(self._body.stature(params.betas)[0]))

    def _region(self, observation: Observation) -> FloatArray | None:
        """Region to crop, around the part of the box that is in the image, as a detector would give it.

        `crop_box` would move a tracked box that begins left of the image into it, so that a person who left would seem
        to stay there.
        """
        height, width = observation.frame.image.shape[:2]
        box = observation.box
        if box.x1 <= 0 or box.y1 <= 0:
            return None
        clipped = replace(box, x0=max(0.0, box.x0), y0=max(0.0, box.y0))
        return crop_box(clipped, width, height, self._model.backbone.box_ratio)


def _in_camera(
    params: SmplxParams, pelvis: FloatArray, joints: FloatArray, region: FloatArray, observation: Observation
) -> SmplxParams | None:
    """Transform from the crop's virtual camera to the frame's optical frame; None if that is impossible.

    `pelvis (3,)` is at rest, `joints (55, 3)` are in the crop's camera; metres.
    """
    camera = observation.frame.camera
    assert isinstance(camera, Camera)
    rotation = optical_from_crop(region, camera)
    position = solve_translation(joints, (joints - joints[0]) @ rotation.T, region, camera)
    orient = rotation @ matrix_from_rotvec(params.global_orient)
    if not (np.isfinite(position).all() and np.isfinite(orient).all() and position[2] > 0):
        return None
    return replace(params, global_orient=rotvec_from_matrix(orient), transl=position - pelvis)
