"""Synthetic checkpoints and their bundles, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import parity


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
    from smplerx_ros.models.convert import convert

    return convert(checkpoint, out).directory
