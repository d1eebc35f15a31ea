"""Validation of the frames passed to `Estimator.process`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from smplerx_ros.errors import InputError
from smplerx_ros.types import Frame


def listed_frames(frames: object) -> list[Frame]:
    """Frames of a sequence.

    Raises:
        InputError: If `frames` is not a sequence of frames; the message names the wrong element.
    """
    if isinstance(frames, (str, bytes)) or not isinstance(frames, Sequence):
        raise InputError(
            f"process takes a Frame, a sequence of them, or a mapping of them by camera, got {_kind(frames)}"
        )
    for i, frame in enumerate(frames):
        _check(frame, f"frame {i}")
    return list(frames)


def named_frames(frames: Mapping[str, Frame]) -> dict[str, Frame]:
    """Frames with the names of their cameras as `source`.

    Raises:
        InputError: If a name is not a string, or its value not a frame of that camera; the message names the camera.
    """
    named: dict[str, Frame] = {}
    for name, frame in frames.items():
        if not isinstance(name, str):
            raise InputError(f"the name of a camera must be a string, got {name!r:.40} ({type(name).__name__})")
        _check(frame, f"the frame of camera {name!r}")
        if frame.source not in ("", name):
            raise InputError(
                f"the frame of camera {name!r} has Frame.source {frame.source!r}: leave it empty, or the same"
            )
        named[name] = frame if frame.source == name else replace(frame, source=name)
    return named


def _check(frame: object, name: str) -> None:
    if not isinstance(frame, Frame):
        raise InputError(f"{name} must be a Frame, got {_kind(frame)}")


def _kind(value: object) -> str:
    hint = ": make a Frame(image) of it" if hasattr(value, "__array__") else ""
    return f"{type(value).__name__}{hint}"
