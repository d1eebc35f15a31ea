"""Training snapshots: the layout of published checkpoints, with the state needed to resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smplerx_ros.backbones.registry import BackboneSpec
from smplerx_ros.backbones.smpler_x import vit
from smplerx_ros.backbones.smpler_x.checkpoint import read_checkpoint, read_tensors
from smplerx_ros.backbones.smpler_x.network import ENCODER, load_published
from smplerx_ros.backbones.smpler_x.smpler_x import SmplerX
from smplerx_ros.errors import ModelFileError

LAST = "last.pth.tar"
_PREFIX = "module."  # of tensor names in published files, from torch's DistributedDataParallel


def published_state(network: SmplerX) -> dict[str, Tensor]:
    """Return the tensors by their published names, on the CPU."""
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    encoder = {name.removeprefix(ENCODER): value for name, value in state.items() if name.startswith(ENCODER)}
    others = {name: value for name, value in state.items() if not name.startswith(ENCODER)}
    return {ENCODER + name: value for name, value in vit.to_published(encoder).items()} | others


def save_snapshot(
    path: Path, network: SmplerX, *, epoch: int, step: int, steps_per_epoch: int, optimizer: Any, scaler: Any
) -> None:
    """Write a snapshot atomically.

    Args:
        path: The file.
        network: What is trained.
        epoch: Number of completed epochs.
        step: Number of completed steps.
        steps_per_epoch: Steps in an epoch; must not change when the training resumes.
        optimizer: State dict of the optimizer.
        scaler: State dict of the gradient scaler.

    Raises:
        ModelFileError: If the file cannot be written.
    """
    content = {
        "epoch": epoch,
        "network": {_PREFIX + name: value for name, value in published_state(network).items()},
        "optimizer": optimizer,
        "step": step,
        "steps_per_epoch": steps_per_epoch,
        "scaler": scaler,
    }
    partial = path.with_name(path.name + ".partial")
    try:
        torch.save(content, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise ModelFileError(f"checkpoint {path}: cannot be written ({error}); is the disk full?") from error


def load_network(path: str | Path, backbone: BackboneSpec) -> SmplerX:
    """Load a published checkpoint or a snapshot for training.

    Raises:
        ModelFileError: If the file cannot be loaded.
    """
    entry, state = read_checkpoint(path, backbone)
    network = load_published(entry, {name: value.clone() for name, value in state.items()})  # not the mapped file
    assert isinstance(network, SmplerX)
    network.train()
    return network


def load_encoder(path: str | Path, network: SmplerX) -> None:
    """Load a published ViTPose backbone into the encoder of `network`; the task tokens keep their values.

    Raises:
        ModelFileError: If the file cannot be read or does not fit the network.
    """
    path = Path(path)
    tensors = read_tensors(path)  # renames ViTPose's `backbone.` to `encoder.`
    encoder = {name.removeprefix(ENCODER): value for name, value in tensors.items() if name.startswith(ENCODER)}
    if "pos_embed" not in encoder:
        raise ModelFileError(f"checkpoint {path}: no backbone with a position embedding in it; is it ViTPose's?")
    own = {name: value.detach() for name, value in network.encoder.state_dict().items()}
    own |= vit.from_published(encoder)
    try:
        network.encoder.load_state_dict(own)
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise ModelFileError(f"checkpoint {path}: not the ViTPose backbone of this network ({reason})") from error


def load_progress(path: Path) -> dict[str, Any]:
    """Read `step`, `steps_per_epoch`, `optimizer` and `scaler` of a snapshot.

    Raises:
        ModelFileError: If the file was not written by `save_snapshot`.
    """
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or not {"step", "steps_per_epoch", "optimizer", "scaler"} <= content.keys():
        raise ModelFileError(f"checkpoint {path}: not a snapshot that training can resume from; use it as `checkpoint`")
    return content
