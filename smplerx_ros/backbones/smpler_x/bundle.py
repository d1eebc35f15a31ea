"""Bundles: a converted network, with a manifest `bundle.json` of its origin and verification."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from smplerx_ros.backbones.registry import BACKBONES
from smplerx_ros.errors import ModelFileError

MANIFEST = "bundle.json"
FORMAT = 2
_READABLE = (1, FORMAT)  # in format 1, SMPLer-X's networks have no output `joint_spread`: confidences are unknown
MODEL_FILES = {"onnx": "model.onnx", "torch": "model.safetensors"}
INT8 = "int8"  # matrix products of the ViT only (quantize.py)
BUNDLE_PRECISIONS = ("fp32", "fp16", INT8)
MAX_MANIFEST = 1 << 20  # bytes
_BLOCK = 1 << 22


@dataclass(frozen=True)
class FileRecord:
    """Size in bytes and SHA-256 of a file."""

    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        """Make the record of a file, which is read completely."""
        return cls(path.name, path.stat().st_size, sha256(path))


@dataclass(frozen=True)
class Bundle:
    """Content and location of a `bundle.json`."""

    directory: Path
    backbone: str
    runtime: str  # "onnx" or "torch"
    precision: str  # one of BUNDLE_PRECISIONS
    files: tuple[FileRecord, ...]  # the model first, then its external data
    source: FileRecord  # the checkpoint that was converted
    opset: int | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    converter: dict[str, str] = field(default_factory=dict)  # versions of the package and libraries
    self_check: dict[str, float] = field(default_factory=dict)  # maximum differences from the torch network in fp32

    @property
    def model_path(self) -> Path:
        """Path of the model file."""
        return self.directory / self.files[0].name

    def save(self) -> None:
        """Write `bundle.json`."""
        content = {"format": FORMAT} | asdict(self)
        del content["directory"]
        (self.directory / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | Path, *, verify: bool = True) -> Bundle:
        """Read and validate a bundle.

        Args:
            directory: Folder of the bundle.
            verify: Whether to verify the SHA-256 of its files.

        Raises:
            ModelFileError: If the bundle is invalid; the message names the file and the field.
        """
        directory = Path(directory)
        bundle = cls._parse(directory)
        for record in bundle.files:
            _check_file(directory / record.name, record, verify)
        return bundle

    @classmethod
    def _parse(cls, directory: Path) -> Bundle:
        path = directory / MANIFEST
        try:
            if path.stat().st_size > MAX_MANIFEST:
                raise ValueError(f"more than {MAX_MANIFEST} bytes")
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") not in _READABLE:
                raise ValueError(f"format is not one of {_READABLE}")
            content["files"] = tuple(FileRecord(**record) for record in content["files"])
            content["source"] = FileRecord(**content["source"])
            bundle = cls(directory=directory, **content)
            bundle._check_fields()
        except FileNotFoundError as error:
            raise ModelFileError(f"bundle {directory}: no {MANIFEST} in it; {convert_hint()}") from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ModelFileError(
                f"bundle file {path}: damaged or of another version ({error}); {convert_hint()}"
            ) from error
        return bundle

    def _check_fields(self) -> None:
        known = BACKBONES.get(self.backbone)
        if known is None or not known.needs_weights:
            raise ValueError(f"backbone {self.backbone!r}")
        if self.runtime not in MODEL_FILES or self.precision not in BUNDLE_PRECISIONS:
            raise ValueError(f"runtime {self.runtime!r}, precision {self.precision!r}")
        if not self.files or self.files[0].name != MODEL_FILES[self.runtime]:
            raise ValueError(f"the first file is not {MODEL_FILES[self.runtime]}")
        for record in self.files:
            if Path(record.name).name != record.name:
                raise ValueError(f"file {record.name!r} is outside the bundle")


def convert_hint(checkpoint: str = "CHECKPOINT") -> str:
    """Hint at the command that makes a bundle."""
    return f"make one with: python -m smplerx_ros convert {checkpoint} --out DIRECTORY"


def is_bundle(path: str | Path) -> bool:
    """Whether `path` is a directory with a `bundle.json`."""
    return (Path(path) / MANIFEST).is_file()


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _check_file(path: Path, record: FileRecord, verify: bool) -> None:
    if not path.is_file():
        raise ModelFileError(f"bundle file {path}: missing; {convert_hint()}")
    if path.stat().st_size != record.size:
        raise ModelFileError(
            f"bundle file {path}: {path.stat().st_size} bytes, expected {record.size}; {convert_hint()}"
        )
    if verify and sha256(path) != record.sha256:
        raise ModelFileError(f"bundle file {path}: its SHA-256 differs from the recorded one; {convert_hint()}")
