"""Anny's body in rest pose: vertices, bones, skinning weights and facial actions, sampled over adult shapes.

Anny: code Apache-2.0, data CC0 (MakeHuman, MPFB2, Face Units). Only its own topology is used, never the SMPL-X topology
that it can download, which is for non-commercial use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anny
import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]

TEMPLATE_HEIGHT = 1.70  # metres, between the mean heights of women and men
NUM_SAMPLES = 160
SEED = 0
ADULT_AGE = 2 / 3  # Anny's scale: 2/3 young adult, 1 old
BISECTIONS = 30


@dataclass(frozen=True)
class Shape:
    """A body in rest pose with V vertices and B bones, metres; x left, y up, z front."""

    vertices: Array  # (V, 3)
    heads: Array  # (B, 3) starts of the bones
    tails: Array  # (B, 3) ends of the bones


@dataclass(frozen=True)
class AnnyData:
    """Data from which the stand-in is built."""

    template: Shape
    samples: list[Shape]
    bone_names: list[str]
    bone_parents: list[int]  # -1 for the root
    weights: Array  # (V, B)
    faces: Array  # (F, 3)
    actions: dict[str, Array]  # by name: (V, 3) offsets at full activation


def load() -> AnnyData:
    """Evaluate Anny deterministically, on one thread."""
    torch.set_num_threads(1)
    model = anny.Anny(rig="makehuman", topology="anny", facial_actions="all").float()
    template_phenotype = _template_phenotype(model)
    template = _rest_shape(model, template_phenotype)
    actions = {
        name: _rest_shape(model, template_phenotype, {name: 1.0}).vertices - template.vertices
        for name in model.facial_action_labels
    }
    return AnnyData(
        template=template,
        samples=[_rest_shape(model, phenotype) for phenotype in _adults(template_phenotype)],
        bone_names=[str(name) for name in model.bone_labels],
        bone_parents=[int(parent) for parent in model.bone_parents],
        weights=_dense_weights(model),
        faces=model.faces.numpy().astype(np.int64),
        actions=actions,
    )


def _template_phenotype(model: Any) -> dict[str, float]:
    """Return the mean of every phenotype, with TEMPLATE_HEIGHT as stature."""
    phenotype = dict.fromkeys(model.phenotype_labels, 0.5) | {"age": ADULT_AGE}
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        phenotype["height"] = (low + high) / 2
        if np.ptp(_rest_shape(model, phenotype).vertices[:, 1]) < TEMPLATE_HEIGHT:
            low = phenotype["height"]
        else:
            high = phenotype["height"]
    return phenotype


def _adults(template: dict[str, float]) -> list[dict[str, float]]:
    """Draw random adults around the template: any gender, varied stature, weight, muscle, proportions and age."""
    rng = np.random.default_rng(SEED)
    spread = {"height": 0.09, "weight": 0.2, "muscle": 0.2, "proportions": 0.2, "age": 0.06}
    adults = []
    for _ in range(NUM_SAMPLES):
        phenotype = template | {"gender": rng.uniform(0, 1)}
        for name, deviation in spread.items():
            lowest = 0.6 if name == "age" else 0.0
            phenotype[name] = float(np.clip(rng.normal(template[name], deviation), lowest, 1))
        adults.append(phenotype)
    return adults


def _rest_shape(model: Any, phenotype: dict[str, float], actions: dict[str, float] | None = None) -> Shape:
    pose = torch.eye(4)[None, None].repeat(1, model.bone_count, 1, 1)
    with torch.no_grad():
        out = model(pose_parameters=pose, phenotype_kwargs=phenotype, facial_actions=actions or {})
    keys = ("rest_vertices", "rest_bone_heads", "rest_bone_tails")
    return Shape(*(_y_up(out[key][0].numpy().astype(np.float64)) for key in keys))


def _y_up(points: Array) -> Array:
    """Convert from Anny's axes (x left, y back, z up) to SMPL-X's (x left, y up, z front)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def _dense_weights(model: Any) -> Array:
    bones, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy().astype(np.float64)
    weights = np.zeros((len(bones), model.bone_count))
    np.add.at(weights, (np.arange(len(bones))[:, None], bones), values)
    return weights
