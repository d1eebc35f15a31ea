"""Convert checkpoints to bundles; each step runs in its own process, to limit memory."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import smplerx_ros
from smplerx_ros.backbones.registry import BackboneSpec
from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.io.cache import cache_directory
from smplerx_ros.io.files import file_problem

from .bundle import BUNDLE_PRECISIONS, FORMAT, INT8, MODEL_FILES, Bundle, FileRecord, is_bundle
from .conversion_step import EXIT_REFUSED

log = logging.getLogger(__name__)

STEPS = ("hash the checkpoint", "export", "compare with torch", "hash the product")
Progress = Callable[[str], None]


def convert(
    checkpoint: str | Path,
    out: str | Path,
    *,
    backbone: BackboneSpec | None = None,
    runtime: str = "onnx",
    precision: str = "fp32",
    progress: Progress = lambda step: None,
) -> Bundle:
    """Convert a published checkpoint to a bundle; after an error, nothing is left behind.

    Args:
        checkpoint: The published file.
        out: Folder of the bundle, which must not exist.
        backbone: The expected backbone; None to detect it.
        runtime: "onnx" or "torch".
        precision: One of `BUNDLE_PRECISIONS`.
        progress: Called with the name of each of `STEPS` when it begins.

    Raises:
        ModelFileError: If the checkpoint is unusable, or the converted network differs from the torch network.
        ConfigError: If an option is invalid, or `out` exists or cannot be written.
    """
    checkpoint, out = Path(checkpoint), Path(out)
    if runtime not in MODEL_FILES:
        raise ConfigError(f"runtime {runtime!r} is unknown; choose one of {', '.join(MODEL_FILES)}")
    if precision not in BUNDLE_PRECISIONS:
        raise ConfigError(
            f"precision {precision!r} is not one of a bundle; choose one of {', '.join(BUNDLE_PRECISIONS)}"
        )
    if precision == INT8 and runtime != "onnx":
        raise ConfigError(f"precision 'int8' is for runtime 'onnx'; runtime {runtime!r} takes fp32 or fp16")
    if problem := file_problem(checkpoint):
        raise ModelFileError(f"checkpoint {checkpoint}: {problem}; check the path")
    if out.exists():
        raise ConfigError(f"out {out}: already exists; specify a new directory or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        hint = "specify another directory; for the cache set SMPLERX_CACHE"
        raise ConfigError(f"out {out}: cannot be written ({error.strerror}); {hint}") from error
    try:
        _fill(partial, checkpoint, backbone, runtime, precision, progress)
        partial.chmod(0o755)
        for file in partial.iterdir():
            file.chmod(0o644)
        _move(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Bundle.load(out, verify=False)


def convert_to_cache(checkpoint: Path, backbone: BackboneSpec, *, precision: str = "fp32") -> Path:
    """Get the ONNX bundle of `checkpoint` in the user's cache; it is converted first if it does not exist yet."""
    source = FileRecord.of(checkpoint)
    version = f"v{smplerx_ros.__version__}-f{FORMAT}"
    name = f"{backbone.name.replace('*', '-star')}-onnx-{precision}-{source.sha256[:16]}-{version}"
    directory = cache_directory() / "bundles" / name
    if not is_bundle(directory):
        log.info("converting %s into %s (once)", checkpoint, directory)
        convert(
            checkpoint, directory, backbone=backbone, precision=precision, progress=lambda step: log.info("%s", step)
        )
    return directory


def _fill(
    directory: Path, checkpoint: Path, backbone: BackboneSpec | None, runtime: str, precision: str, progress: Progress
) -> None:
    progress(STEPS[0])
    source = FileRecord.of(checkpoint)
    progress(STEPS[1])
    name = backbone.name if backbone else ""
    made = _run_step("export", str(checkpoint.absolute()), str(directory), name, runtime, precision)
    progress(STEPS[2])
    checked = _run_step("check", str(directory), made["backbone"], runtime, precision)
    progress(STEPS[3])
    files = tuple(FileRecord.of(directory / file) for file in made.pop("files"))
    Bundle(
        directory=directory,
        runtime=runtime,
        precision=precision,
        files=files,
        source=source,
        self_check=checked,
        **made,
    ).save()


def _move(partial: Path, out: Path) -> None:
    try:
        partial.rename(out)
    except OSError:
        if not is_bundle(out):  # otherwise another process has made the same one
            raise


def _run_step(*arguments: str) -> dict[str, Any]:
    """Run `conversion_step` in a new interpreter, with this package on its path, and return the result."""
    package_root = str(Path(smplerx_ros.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "smplerx_ros.backbones.smpler_x.conversion_step", *arguments]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result
    lines = done.stderr.strip().splitlines() or [f"killed by signal {-done.returncode}: out of memory?"]
    if done.returncode == EXIT_REFUSED:  # its last line is for the user
        raise ModelFileError(lines[-1])
    log.error("conversion, step %s:\n%s", arguments[0], done.stderr)
    raise ModelFileError(f"conversion failed in step {arguments[0]!r}: {lines[-1]}")
