"""Safely read published checkpoints: only tensors are accepted, and names and shapes must be complete."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smplerx_ros.backbones.registry import BACKBONES, LITE, SMPLER_X, SMPLEST_X, BackboneSpec, same_network
from smplerx_ros.errors import ModelFileError, printable
from smplerx_ros.io.files import reason

from .network import published_shapes

# Before 2.10, a file could corrupt memory in spite of `weights_only=True` (CVE-2026-24747).
MIN_TORCH = (2, 10)
# Names of modules in older files.
_RENAMED_MODULES = {
    "backbone": "encoder",
    "body_rotation_net": "body_regressor",
    "hand_rotation_net": "hand_regressor",
}
_BODY_MODEL = "smplx_layer"  # buffers of the licensed body model, which are not needed
_ZIP_MAGIC = b"PK\x03\x04"
_MAX_LISTED = 8  # names per list in an error message
_REFUSED = re.compile(r"WeightsUnpickler error: ([^\n]*)")  # torch's message about what it refuses to load


def read_checkpoint(path: str | Path, backbone: BackboneSpec | None = None) -> tuple[BackboneSpec, dict[str, Tensor]]:
    """Read a `.pth.tar` or a plain state dict.

    The tensors are memory-mapped, on the CPU; other entries, such as the optimizer's state, are ignored.

    Args:
        path: The checkpoint.
        backbone: The expected backbone; None to detect it.

    Returns:
        The backbone, and the tensors by their published names.

    Raises:
        ModelFileError: If the file is missing, damaged, of another network, or contains anything but tensors; or if
            names or shapes of tensors differ, which the message lists.
    """
    path = Path(path)
    state = read_tensors(path)
    found = detect(state, path)
    if backbone is None:
        backbone = next((entry for entry in BACKBONES.values() if entry.checkpoint == path.name), found)
        backbone = backbone if same_network(backbone, found) else found
    elif not same_network(backbone, found):
        raise ModelFileError(
            f"checkpoint {path}: holds {found.name}, not {backbone.name}; specify the right file or backbone"
        )
    _check_tensors(state, backbone, path)
    return backbone, {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by their published names, without checking them.

    Raises:
        ModelFileError: If the file cannot be read or contains anything but tensors.
    """
    return _network_state(_load(path), path)


def detect(state: Mapping[str, Tensor], path: Path) -> BackboneSpec:
    """Find the first backbone with the family, width, depth and number of tokens of `state`."""
    tokens, patch = state.get("encoder.task_tokens"), state.get("encoder.patch_embed.proj.weight")
    if tokens is None or patch is None or tokens.ndim != 3 or patch.ndim != 4:
        some = _shortened(sorted(state)) or "none"
        raise ModelFileError(f"checkpoint {path}: no SMPLer-X or SMPLest-X backbone among its tensors ({some})")
    family = SMPLEST_X if any(name.startswith("decoder.") for name in state) else SMPLER_X
    depth = len({name.split(".")[2] for name in state if name.startswith("encoder.blocks.")})
    dims = (family, patch.shape[0], depth, tokens.shape[1])
    for entry in BACKBONES.values():
        if entry.family != LITE and (entry.family, entry.embed_dim, entry.depth, entry.tokens) == dims:
            return entry
    known = ", ".join(entry.name for entry in BACKBONES.values() if entry.needs_weights)
    raise ModelFileError(
        f"checkpoint {path}: a {family} network of width {dims[1]}, depth {depth} and {dims[3]} task tokens is none of "
        f"{known}; damaged, or of another project?"
    )


def _load(path: Path) -> Any:
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < MIN_TORCH:
        needed = ".".join(map(str, MIN_TORCH))
        raise ModelFileError(
            f"checkpoint {path}: reading it safely needs torch >= {needed}, this is {torch.__version__}"
        )
    _check_header(path)
    try:
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelFileError(
            f"checkpoint {path}: refused, it holds more than tensors ({_at_fault(path, error)}); do not trust it"
        ) from error
    except Exception as error:  # a damaged archive may raise almost any exception
        raise ModelFileError(
            f"checkpoint {path}: damaged or incomplete ({reason(error)}); download it again"
        ) from error


def _at_fault(path: Path, error: pickle.UnpicklingError) -> str:
    """What torch refused to load: names of classes and functions, or its message without the advice."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # torch reads the pickle again, which may be damaged
        names = []
    if names:
        return _shortened(sorted(names))
    match = _REFUSED.search(str(error))
    return printable(match[1] if match else reason(error))


def _check_header(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ModelFileError(f"checkpoint {path}: cannot be read ({error.strerror}); check the path") from error
    if head.startswith(_ZIP_MAGIC):
        return
    if not head:
        raise ModelFileError(f"checkpoint {path}: the file is empty; download it again")
    if head.lstrip()[:1] == b"<":
        raise ModelFileError(
            f"checkpoint {path}: a web page, not a checkpoint (a login or error page?); download it again"
        )
    raise ModelFileError(f"checkpoint {path}: not a torch archive; expected a file of torch.save (1.6 or newer)")


def _network_state(content: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping):
        content = content.get("network", content.get("state_dict", content))
    if not isinstance(content, Mapping) or not content:
        raise ModelFileError(f"checkpoint {path}: no dictionary of tensors in it, nor below 'network'")
    state: dict[str, Tensor] = {}
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ModelFileError(
                f"checkpoint {path}: entry {key!r} is a {type(value).__name__}, expected tensors by name"
            )
        name = _published_name(key)
        if name.startswith(_BODY_MODEL):
            continue
        if name in state:
            raise ModelFileError(f"checkpoint {path}: two entries for {name!r}")
        state[name] = value
    return state


def _published_name(key: str) -> str:
    first, *rest = key.removeprefix("module.").split(".")
    return ".".join([_RENAMED_MODULES.get(first, first), *rest])


def _check_tensors(state: Mapping[str, Tensor], backbone: BackboneSpec, path: Path) -> None:
    expected = published_shapes(backbone)
    shared = expected.keys() & state.keys()
    shapes = [
        f"{n} {tuple(state[n].shape)}, expected {expected[n]}" for n in shared if tuple(state[n].shape) != expected[n]
    ]
    problems = {
        "missing": sorted(expected.keys() - state.keys()),
        "unexpected": sorted(state.keys() - expected.keys()),
        "of another shape": sorted(shapes),
        "not dense numbers": sorted(n for n in shared if not _is_plain(state[n])),
    }
    if any(problems.values()):
        text = "; ".join(f"{len(names)} {what}: {_shortened(names)}" for what, names in problems.items() if names)
        raise ModelFileError(
            f"checkpoint {path}: not a complete {backbone.name} network of {len(expected)} tensors. {text}"
        )


def _is_plain(value: Tensor) -> bool:
    counter = value.dtype == torch.int64 and value.ndim == 0  # BatchNorm's num_batches_tracked
    return value.layout == torch.strided and (value.is_floating_point() or counter)


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return printable(", ".join(names[:_MAX_LISTED])) + more
