"""Report what is installed and what is missing: ROS, runtimes, GPUs, backbones, bundles, body models.

Verifies the hashes of the embedded files, of the bundles in the cache and of those given as arguments.
Exit code: 0 all of them are usable; 1 one is not.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

from smplerx_ros.errors import SmplerxError

_SMPLX_PAGE = "https://smpl-x.is.tue.mpg.de"
_TORCH_HINT = "pip install 'smplerx_ros[torch]'"
_NOTICE = "NOTICE.md"
_CONVERSION = ("torch", "timm", "safetensors", "onnx", "onnxscript")
_FILES = ("av", "pillow", "pi-heif")  # videos, images, images of phones
_LIBRARIES = ("numpy", "scipy", *_FILES, "onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", *_CONVERSION)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("paths", type=Path, nargs="*", metavar="PATH", help="bundles and SMPL-X files to check as well")


def run(arguments: argparse.Namespace) -> int:
    """Print the report; returns the exit code."""
    for section, lines in (("machine", _machine()), ("runtimes", _runtimes()), ("backbones", _backbones())):
        _print_section(section, lines)
    results = [_checked_assets(), *_checked_bundles(arguments.paths), *_checked_bodies(arguments.paths)]
    _print_section("files", [line for line, _ in results])
    return 0 if all(good for _, good in results) else 1


def _print_section(title: str, lines: list[str]) -> None:
    print(f"{title}:")
    for line in lines:
        print(f"  {line}")


def _machine() -> list[str]:
    found = {name: _version(name) for name in ("smplerx_ros", *_LIBRARIES)}
    installed = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    return [f"Python {platform.python_version()} on {platform.platform()}", installed, _ros(), *_gpus()]


def _ros() -> str:
    if find_spec("rclpy") is None:
        return "no ROS 2 (rclpy is not importable): library and command line only; source a ROS 2 environment"
    name = f"ROS 2 {os.environ.get('ROS_DISTRO', '(ROS_DISTRO is not set)')}"
    if find_spec("smplerx_ros.msg") is None:
        return f"{name}, but this package's messages are not built: colcon build, then source install/setup.bash"
    return f"{name}, messages built"


def _version(distribution: str) -> str | None:
    from smplerx_ros import __version__

    try:
        return __version__ if distribution == "smplerx_ros" else version(distribution)
    except PackageNotFoundError:
        return None


def _gpus() -> list[str]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return ["no NVIDIA GPU (nvidia-smi is not there)"]
    listed = subprocess.run([command, "-L"], capture_output=True, text=True, check=False, timeout=30)
    return listed.stdout.splitlines() or [f"nvidia-smi: {(listed.stderr or listed.stdout).strip()}"]


def _runtimes() -> list[str]:
    lines = [*_onnx()]
    missing = [name for name in _CONVERSION if _version(name) is None]
    if "torch" in missing:
        lines.append(f"torch: not installed, needed by convert and runtime:=torch; {_TORCH_HINT}")
        return lines
    import torch

    devices = f"cpu{', cuda' if torch.cuda.is_available() else ''}"
    lack = f"; convert and runtime:=torch lack {', '.join(missing)}: {_TORCH_HINT}" if missing else ""
    return [*lines, f"torch: {devices}{lack}"]


def _onnx() -> Iterator[str]:
    both = [name for name in ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino") if _version(name)]
    if len(both) > 1:
        yield (
            f"WARNING: {' and '.join(both)} overwrite each other's files: pip uninstall all but the one you want, "
            "then pip install --force-reinstall that one"
        )
    try:
        import onnxruntime
    except ImportError as error:
        yield f"onnx: not usable ({error}); pip install onnxruntime"
        return
    yield f"onnx: built with {', '.join(onnxruntime.get_available_providers())}"


def _backbones() -> list[str]:
    from smplerx_ros.backbones.registry import BACKBONES

    lines = []
    for entry in BACKBONES.values():
        if entry.needs_weights and not entry.checkpoint:
            lines.append(f"{entry.name:12} train it yourself: {entry.page}")
        elif entry.needs_weights:
            error = f"{entry.mpe_mm} mm published" if entry.mpe_mm else "error published in its paper only"
            lines.append(f"{entry.name:12} {entry.checkpoint} from {entry.page}, {entry.licence}; {error}")
        else:
            lines.append(f"{entry.name:12} embedded, {entry.licence}")
    return [*lines, "convert a checkpoint once: python -m smplerx_ros convert CHECKPOINT"]


def _checked_assets() -> tuple[str, bool]:
    """Compare the embedded files with the SHA-256 hashes in NOTICE.md."""
    from smplerx_ros.backbones.smpler_x.bundle import sha256

    with as_file(files("smplerx_ros") / "assets") as directory:
        notice = (directory / _NOTICE).read_text(encoding="utf-8")
        embedded = sorted(path for path in directory.iterdir() if path.is_file() and path.name != _NOTICE)
        damaged = [path.name for path in embedded if sha256(path) not in notice]
    if damaged:
        return f"BAD: embedded {', '.join(damaged)}: not as published; install the package again", False
    return f"good: {len(embedded)} embedded files, hashes right", True


def _checked_bundles(paths: list[Path]) -> Iterator[tuple[str, bool]]:
    from smplerx_ros.backbones.smpler_x.bundle import Bundle, is_bundle
    from smplerx_ros.io.cache import cache_directory

    cached = sorted(path for path in (cache_directory() / "bundles").glob("*") if is_bundle(path))
    for path in [*(path for path in paths if path.is_dir()), *cached]:
        try:
            bundle = Bundle.load(path)
            yield f"good: {path}: {bundle.backbone}, {bundle.runtime} {bundle.precision}, hashes right", True
        except SmplerxError as error:
            yield f"BAD: {error}", False


def _checked_bodies(paths: list[Path]) -> Iterator[tuple[str, bool]]:
    from smplerx_ros.body import load_body

    named = [path for path in paths if not path.is_dir()]
    for path in (None, *named):
        try:
            body = load_body(path)
            yield f"good: body model {path or '(embedded)'}: {body.name}", True
        except SmplerxError as error:
            yield f"BAD: {error}", False
    if not named:
        yield f"SMPL-X itself: none named; register at {_SMPLX_PAGE} and pass body_model:=.../SMPLX_NEUTRAL.npz", True
