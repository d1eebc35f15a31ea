"""Validation errors of a network on people that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from smplerx_ros.arrays import FloatArray
from smplerx_ros.backbones.smpler_x.prediction import ROTATIONS
from smplerx_ros.body.model import BodyModel
from smplerx_ros.research.evaluation.mesh_errors import MM, PELVIS, joint_aligned_distances
from smplerx_ros.types import SmplxParams

from .augmentation import Augmentation
from .dataset import PersonDataset

_BATCH = 32


@dataclass(frozen=True)
class Validation:
    """Validation on evenly spaced people of a data set."""

    people: PersonDataset
    samples: int  # at most

    def errors(self, network: nn.Module, body: BodyModel, device: torch.device) -> dict[str, float]:
        """Compute the mean pelvis-aligned errors over people.

        Args:
            network: A `TrainingNetwork`. Its training or evaluation mode is restored.
            body: Neutral body model.
            device: Of the network.

        Returns:
            `pve` of all vertices and `mpjpe` of the 55 joints, mm.
        """
        count = min(self.samples, len(self.people))
        rows = np.linspace(0, len(self.people) - 1, count).round().astype(int).tolist()
        was_training = network.training
        network.eval()
        batches = [rows[first : first + _BATCH] for first in range(0, count, _BATCH)]
        found = [self._batch(network, body, device, batch) for batch in batches]
        network.train(was_training)
        pve, mpjpe = np.concatenate(found).mean(axis=0)
        return {"pve": float(pve), "mpjpe": float(mpjpe)}

    def _batch(self, network: nn.Module, body: BodyModel, device: torch.device, rows: list[int]) -> FloatArray:
        """Return PVE and MPJPE per person `(B, 2)`, mm."""
        images = np.stack([self.people.crop(row, Augmentation())[0] for row in rows])
        with torch.inference_mode():
            outputs = network(torch.from_numpy(images).to(device))
        predicted = _params({name: outputs[name].cpu().numpy() for name in ("rotvecs", "betas", "expression")})
        truth = self.people.params(rows)
        columns = []
        for points, true_points in (
            (body.vertices(predicted), body.vertices(truth)),
            (body.joints(predicted), body.joints(truth)),
        ):
            pelvis, true_pelvis = body.joints(predicted)[:, PELVIS], body.joints(truth)[:, PELVIS]
            columns.append(MM * joint_aligned_distances(points, true_points, pelvis, true_pelvis).mean(axis=1))
        return np.stack(columns, axis=1)


def _params(outputs: dict[str, FloatArray]) -> SmplxParams:
    rotvecs = outputs["rotvecs"]
    zeros = np.zeros((len(rotvecs), 3), np.float32)
    posed: dict[str, Any] = {name: rotvecs[:, rows].reshape(len(rotvecs), -1) for name, rows in ROTATIONS.items()}
    return SmplxParams(
        **posed,
        betas=outputs["betas"],
        expression=outputs["expression"],
        leye_pose=zeros,
        reye_pose=zeros,
        transl=zeros,
    )
