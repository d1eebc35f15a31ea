"""Reproducible synthetic checkpoints and images, and the outputs of the reference implementation for them.

`test/data/parity/manifest_*.json` contains the names and shapes of the tensors of each published network,
`parity_*.npz` the outputs of the reference (float32, CPU) for the checkpoints and images generated here.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[1] / "data" / "parity"
SEEDS = (0, 1, 2, 3)  # of the images of the test vectors

# Gains that keep attention, soft-argmax and rotations away from degenerate values.
_GAINS = {
    r"encoder\.patch_embed\.proj\.weight": 3.0,
    r"encoder\.blocks\.\d+\.attn\.qkv\.weight": 1.5,
    r"(body|hand)_position_net\.conv\.0\.weight": 5.0,
    r"box_net\.bbox_center\.0\.weight": 30.0,
}
# Offsets that make the boxes of hands and face positive, in cells.
_OFFSETS = {r"box_net\.[lr]hand_size\.2\.bias": 2.5, r"box_net\.face_size\.2\.bias": 2.0}


def vectors(name: str) -> dict[str, NDArray[Any]]:
    """Load the test vectors `parity_<name>.npz`."""
    with np.load(DATA / f"parity_{name}.npz") as stored:
        return dict(stored)


def manifest(name: str) -> dict[str, tuple[int, ...]]:
    """Load the shapes of a published network's tensors by name."""
    content = json.loads((DATA / f"manifest_{name}.json").read_text())
    return {key: tuple(entry["shape"]) for key, entry in content.items()}


def tensor(key: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Generate a synthetic tensor from a random stream seeded with the CRC-32 of its name, scaled by its kind."""
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    generator = np.random.default_rng(zlib.crc32(key.encode()))
    noise = np.asarray(generator.standard_normal(shape, dtype=np.float32))
    if key.endswith("running_var"):
        return np.float32(1) + np.float32(0.1) * np.abs(noise)
    if key.endswith("running_mean"):
        return np.float32(0.02) * noise
    if key in ("encoder.pos_embed", "encoder.task_tokens"):
        return np.float32(0.5) * noise
    if key.endswith(".bias"):
        return np.float32(_match(_OFFSETS, key, 0.0)) + np.float32(0.02) * noise
    if len(shape) == 1:
        return np.float32(1) + np.float32(0.02) * noise
    upsampling = len(shape) == 4 and ".deconv." in key
    fan_in = shape[0] * shape[2] * shape[3] / 4 if upsampling else float(np.prod(shape[1:]))
    return np.float32(_match(_GAINS, key, 1.0) / np.sqrt(fan_in)) * noise


def state(name: str) -> dict[str, NDArray[Any]]:
    """Generate all tensors of the synthetic network `name`."""
    return {key: tensor(key, shape) for key, shape in manifest(name).items()}


def write_checkpoint(name: str, path: Path) -> Path:
    """Write a synthetic checkpoint in the layout of the published ones."""
    import torch

    network = {"module." + key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in state(name).items()}
    for key, value in network.items():  # ascontiguousarray makes scalars one-dimensional
        network[key] = value.reshape(manifest(name)[key.removeprefix("module.")])
    torch.save({"epoch": 0, "network": network}, path)
    return path


def crops(seeds: Iterable[int] = SEEDS) -> NDArray[np.uint8]:
    """Generate the images of the test vectors as network inputs: `(B, 256, 192, 3) uint8 RGB`."""
    return np.stack([image(seed, 512, 384)[::2, ::2] for seed in seeds])


def image(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Draw gradients, ellipses, rectangles and a figure of capsules: `(height, width, 3) uint8 RGB`."""
    rng = np.random.default_rng(1000 + seed)
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    img = np.zeros((height, width, 3))
    for channel in range(3):
        a, b, p, q = rng.uniform(-1, 1, 4)
        fx, fy = rng.uniform(0.5, 2.5, 2)
        waves = np.sin(2 * np.pi * (fx * x + p)) * np.cos(2 * np.pi * (fy * y + q))
        img[..., channel] = 0.5 + 0.25 * (a * x + b * y) + 0.18 * waves
    for _ in range(6):
        cx, cy = rng.uniform(0.1, 0.9, 2)
        rx, ry = rng.uniform(0.05, 0.25, 2)
        color, alpha = rng.uniform(0, 1, 3), rng.uniform(0.5, 1)
        inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1
        img[inside] = (1 - alpha) * img[inside] + alpha * color
    for _ in range(4):
        x0, y0 = rng.uniform(0, 0.8, 2)
        w, h = rng.uniform(0.05, 0.3, 2)
        color = rng.uniform(0, 1, 3)
        inside = (x >= x0) & (x <= x0 + w) & (y >= y0) & (y <= y0 + h)
        img[inside] = 0.4 * img[inside] + 0.6 * color
    _draw_figure(img, x, y, rng)
    return np.clip(np.rint(img * 255), 0, 255).astype(np.uint8)


def _draw_figure(img: NDArray[Any], x: NDArray[Any], y: NDArray[Any], rng: np.random.Generator) -> None:
    scale = rng.uniform(0.75, 1.1)
    offset = rng.uniform(-0.08, 0.08, 2)
    colors = rng.uniform(0, 1, (4, 3))
    aspect = img.shape[1] / img.shape[0]

    def capsule(x0: float, y0: float, x1: float, y1: float, radius: float, color: NDArray[Any]) -> None:
        ends = zip((x0, y0, x1, y1), (*offset, *offset), strict=True)
        x0, y0, x1, y1 = [0.5 + (t - 0.5) * scale + o for t, o in ends]
        px, py = (x - x0) * aspect, y - y0
        dx, dy = (x1 - x0) * aspect, y1 - y0
        along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy + 1e-9), 0, 1)
        img[np.hypot(px - along * dx, py - along * dy) <= radius * scale] = color

    j = rng.uniform(-0.12, 0.12, 8)
    capsule(0.5, 0.3, 0.5, 0.55, 0.09, colors[0])
    capsule(0.5, 0.14, 0.5, 0.16, 0.06, colors[1])
    capsule(0.4, 0.3, 0.25 + j[0], 0.45 + j[1], 0.035, colors[2])
    capsule(0.6, 0.3, 0.75 + j[2], 0.45 + j[3], 0.035, colors[2])
    capsule(0.45, 0.58, 0.4 + j[4], 0.88 + 0.5 * j[5], 0.045, colors[3])
    capsule(0.55, 0.58, 0.6 + j[6], 0.88 + 0.5 * j[7], 0.045, colors[3])


def _match(table: dict[str, float], key: str, default: float) -> float:
    return next((value for pattern, value in table.items() if re.fullmatch(pattern, key)), default)
