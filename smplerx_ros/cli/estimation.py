"""Estimation of all images of a source, and output to files: the implementation of `estimate`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from smplerx_ros.body import BodyModel
from smplerx_ros.errors import InputError, printable
from smplerx_ros.io.files import reason
from smplerx_ros.io.results import PEOPLE_FILE, SUMMARY_FILE, FrameResult, count_people, write_people, write_summary
from smplerx_ros.io.sources import Source, SourceImage
from smplerx_ros.types import Frame, People

from .overlay_writer import OverlayWriter


class FrameEstimator(Protocol):
    """The interface of an estimator that is used here."""

    def process(self, frames: Frame) -> People:
        """Estimate the people in one frame."""
        ...

    def reset(self) -> None:
        """Forget all tracked people."""
        ...


@dataclass(frozen=True)
class Report:
    """Result of `estimate_source`."""

    frames_processed: int
    failed: tuple[dict[str, str], ...]  # input, reason
    written: tuple[Path, ...]
    not_drawn: str  # first image that could not be drawn, with the reason; empty: all were drawn


def estimate_source(source: Source, estimator: FrameEstimator, out: Path, body: BodyModel | None) -> Report:
    """Estimate all images of a source and write the results.

    Invalid images are recorded in the report and skipped. On interruption the results so far are written.

    Args:
        source: Images.
        estimator: Estimator.
        out: Directory of the results.
        body: Body model for drawing overlays; None: draw none.
    """
    run = _Run(source, estimator)
    overlays = None if body is None else OverlayWriter(source, out, body)
    complete = False
    try:
        for item in tqdm(source, total=source.length or None, unit="frame", desc=printable(source.path.name)):
            people = run.step(item)
            if overlays is not None and people is not None:
                overlays.add(item, people)
        complete = True
    finally:
        try:
            if run.results:
                _write(out, run)
        finally:
            if overlays is not None:
                overlays.close(complete)
    files = [*([overlays.path] if overlays else []), out / PEOPLE_FILE, out / SUMMARY_FILE]
    not_drawn = overlays.problem if overlays else ""
    return Report(len(run.results), tuple(run.failed), tuple(path for path in files if path.exists()), not_drawn)


def _write(out: Path, run: _Run) -> None:
    """Write both result files; raises InputError if one of them cannot be written."""
    problems = []
    for name, write in (
        (PEOPLE_FILE, partial(write_people, out / PEOPLE_FILE, run.results)),
        (SUMMARY_FILE, partial(write_summary, out / SUMMARY_FILE, run.summary())),
    ):
        try:
            write()
        except OSError as error:
            problems.append(f"{name} cannot be written ({reason(error)})")
    if problems:
        raise InputError(f"--out {out}: {'; '.join(problems)}")


class _Run:
    """Collects results and failures."""

    def __init__(self, source: Source, estimator: FrameEstimator) -> None:
        self._source = source
        self._estimator = estimator
        self._names: list[str] = []
        self._seconds = 0.0
        self._about: dict[str, Any] = {}
        self.results: list[FrameResult] = []
        self.failed: list[dict[str, str]] = []

    def step(self, item: SourceImage) -> People | None:
        """Estimate one image; None if it is invalid."""
        index = len(self._names)
        if item.image is not None or not self._source.is_video:  # a damaged part of a video is not a frame
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
        """Contents of summary.json."""
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
        people = self._estimator.process(Frame(item.image, stamp_ns=item.stamp_ns))
        self._seconds += time.perf_counter() - started
        return people


def _about(people: People) -> dict[str, Any]:
    """The models that produced the people."""
    return {
        "backbone": people.backbone,
        "body_model": people.body_model,
        "runtime": people.runtime,
        "camera": "calibrated" if people.camera.calibrated else "assumed field of view",
    }
