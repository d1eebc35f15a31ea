"""From a source of images to files: the work behind `estimate`, for anything that estimates."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..body import BodyModel
from ..errors import InputError
from ..results import (
    OVERLAY_FILE,
    PEOPLE_FILE,
    SUMMARY_FILE,
    FrameResult,
    count_people,
    write_people,
    write_summary,
)
from ..types import Frame
from ..video import VideoWriter
from ..viewer.overlay import draw_people
from .sources import Source, SourceImage

if TYPE_CHECKING:
    from ..estimator import People

Draw = Callable[[SourceImage, NDArray[np.uint8]], None]


class FrameEstimator(Protocol):
    """What is needed of an Estimator."""

    def process(self, frames: Sequence[Frame]) -> list[People]:
        """People of each frame."""
        ...

    def reset(self) -> None:
        """Forget who was seen."""
        ...


@dataclass(frozen=True)
class Report:
    """What `estimate_source` did."""

    frames_processed: int
    failed: tuple[dict[str, str], ...]  # input, reason
    written: tuple[Path, ...]


def estimate_source(source: Source, estimator: FrameEstimator, out: Path, body: BodyModel | None) -> Report:
    """Estimate every image of `source`, write results into the folder `out`, and pictures where `body` is given.

    An image that cannot be used is noted and passed over. Interrupted, it writes what there is.
    """
    run = _Run(source, estimator)
    overlay = None
    try:
        with ExitStack() as stack:
            if body is not None:
                draw, overlay = _drawing(source, out, stack)
            for item in tqdm(source, total=source.length or None, unit="frame", desc=source.path.name):
                people = run.step(item)
                if body is not None and people is not None:
                    draw(item, draw_people(people.frame.image, people.people, body, people.camera))
    finally:
        if run.results:
            write_people(out / PEOPLE_FILE, run.results)
            write_summary(out / SUMMARY_FILE, run.summary())
    written = [path for path in (overlay, out / PEOPLE_FILE, out / SUMMARY_FILE) if path and path.exists()]
    return Report(len(run.results), tuple(run.failed), tuple(written))


class _Run:
    """Results and failures so far."""

    def __init__(self, source: Source, estimator: FrameEstimator) -> None:
        self._source = source
        self._estimator = estimator
        self._names: list[str] = []
        self._seconds = 0.0
        self._about: dict[str, Any] = {}
        self.results: list[FrameResult] = []
        self.failed: list[dict[str, str]] = []

    def step(self, item: SourceImage) -> People | None:
        """Estimate one image; None if it cannot be used."""
        index = len(self._names)
        self._names.append(item.name)
        try:
            people = self._estimate(item)
        except InputError as error:
            self.failed.append({"input": item.name, "reason": str(error)})
            return None
        self.results.append(FrameResult(index, item.stamp_ns, people.people, people.camera.k))
        self._about = _about(people)
        return people

    def summary(self) -> dict[str, Any]:
        """What summary.json says."""
        return {
            "input": str(self._source.path),
            "frames": len(self._names),
            **count_people(self.results),
            "fps": round(len(self.results) / self._seconds, 2) if self._seconds else None,
            **self._about,
            "failed": self.failed,
            **({} if self._source.is_video else {"images": self._names}),
        }

    def _estimate(self, item: SourceImage) -> People:
        if item.image is None:
            raise InputError(item.reason)
        if not self._source.sequence:
            self._estimator.reset()
        started = time.perf_counter()
        people = self._estimator.process([Frame(item.image, stamp_ns=item.stamp_ns)])[0]
        self._seconds += time.perf_counter() - started
        return people


def _drawing(source: Source, out: Path, stack: ExitStack) -> tuple[Draw, Path]:
    """How to keep a drawn image of this kind of source, and where it will be found."""
    if source.is_video:
        writer = stack.enter_context(VideoWriter(out / OVERLAY_FILE, source.rate))
        return lambda item, image: writer.write(image, item.stamp_ns * 1e-9), out / OVERLAY_FILE
    if source.path.is_dir():
        folder = out / "overlay"
        folder.mkdir(exist_ok=True)
        return lambda item, image: _write_png(folder / f"{item.name}.png", image), folder
    return lambda item, image: _write_png(out / "overlay.png", image), out / "overlay.png"


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tofile(path)


def _about(people: People) -> dict[str, Any]:
    """What estimated the people, so that nobody takes one model for another."""
    return {
        "backbone": people.backbone,
        "body_model": people.body_model,
        "runtime": people.runtime,
        "camera": "calibrated" if people.camera.calibrated else "assumed field of view",
    }
