"""The SMPL-X body: joint tree, model files, kinematics and mesh."""

from .model import BodyModel, load_body

__all__ = ["BodyModel", "load_body"]
