"""Snapshots of a training: published checkpoints' layout, with what is needed to go on where it stopped."""

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
_PREFIX = "module."  # published files hold the names of a network in torch's DDP


def published_state(network: SmplerX) -> dict[str, Tensor]:
    """Tensors by published names, on the CPU."""
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    encoder = {name.removeprefix(ENCODER): value for name, value in state.items() if name.startswith(ENCODER)}
    others = {name: value for name, value in state.items() if not name.startswith(ENCODER)}
    return {ENCODER + name: value for name, value in vit.to_published(encoder).items()} | others


def save_snapshot(
    path: Path, network: SmplerX, *, epoch: int, step: int, steps_per_epoch: int, optimizer: Any, scaler: Any
) -> None:
    """Writes the file at once or not at all. `optimizer` and `scaler` are torch's states."""
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
    """The network of a published or own checkpoint, ready to be trained; raises ModelFileError."""
    entry, state = read_checkpoint(path, backbone)
    network = load_published(entry, {name: value.clone() for name, value in state.items()})  # not the mapped file
    assert isinstance(network, SmplerX)
    network.train()
    return network


def load_encoder(path: str | Path, network: SmplerX) -> None:
    """Puts ViTPose's backbone, as its authors publish it, into `network`; the task tokens, which it lacks, stay.

    Raises ModelFileError for a file that is another network's.
    """
    path = Path(path)
    tensors = read_tensors(path)  # calls a backbone an encoder
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
    """`step`, `steps_per_epoch`, `optimizer`, `scaler` of a snapshot of this module; raises ModelFileError."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or not {"step", "steps_per_epoch", "optimizer", "scaler"} <= content.keys():
        raise ModelFileError(f"checkpoint {path}: no training can go on from it; start from it with `checkpoint`")
    return content
