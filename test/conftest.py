"""For all tests: a ROS graph of their own, on this machine only; synthetic checkpoints and their bundles; no hurry."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import settings

from support import parity

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Domains up to 101 leave room for the ports of every participant on Linux (ROS 2 documentation, "The ROS_DOMAIN_ID").
os.environ["ROS_DOMAIN_ID"] = str(random.SystemRandom().randint(1, 101))

settings.register_profile("unhurried", deadline=None)  # how busy the machine is says nothing of the code
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def s32_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic `smpler_x_s32.pth.tar`."""
    pytest.importorskip("torch")
    return parity.write_checkpoint("s32", tmp_path_factory.mktemp("s32") / "smpler_x_s32.pth.tar")


@pytest.fixture(scope="session")
def b32_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic `smpler_x_b32.pth.tar`."""
    pytest.importorskip("torch")
    return parity.write_checkpoint("b32", tmp_path_factory.mktemp("b32") / "smpler_x_b32.pth.tar")


@pytest.fixture(scope="session")
def s32_bundle(s32_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its ONNX bundle."""
    return _convert(s32_checkpoint, tmp_path_factory.mktemp("bundles") / "s32")


@pytest.fixture(scope="session")
def b32_bundle(b32_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its ONNX bundle."""
    return _convert(b32_checkpoint, tmp_path_factory.mktemp("bundles") / "b32")


def _convert(checkpoint: Path, out: Path) -> Path:
    from smplerx_ros.backbones.smpler_x.convert import convert

    return convert(checkpoint, out).directory
