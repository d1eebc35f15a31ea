"""Run person detectors in ONNX format, whose format is determined from the file and its output for a sample image."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.runtime.onnx import OnnxNetwork

from . import sample
from .builtin import check_image
from .class_names import class_names
from .class_scores import class_scores
from .clean import clean_rows
from .constants import DEFAULT_THRESHOLD
from .formats import (
    CONFIDENT,
    FORMATS,
    GREY,
    SAME_OUTPUTS,
    Format,
    Outputs,
    ProbedModel,
    implausible,
    matching_formats,
    mismatch,
)
from .inputs import DetectorInputs
from .merge import MAX_OVERLAP
from .resize import FittedImage, fit_image

log = logging.getLogger(__name__)

AUTO = "auto"
PERSON = "person"
_CLASSES_LISTED = 10  # in an error
# Numbers of classes for which the index of a person is known: a person alone, COCO's classes, COCO's category ids, and
# these with a class for the background.
_PERSON_FIRST = (1, 80, 90, 91, 92)


class OnnxDetector:
    """A detector in an ONNX file.

    Args:
        path: The file.
        device: As in `OnnxNetwork`.
        threads: As in `OnnxNetwork`.
        threshold: Minimum score, 0..1.
        person: The class of a person: its name, if the file has names, or its index.
        format: One of `formats.FORMATS`, or "auto".

    Raises:
        ModelFileError: If the file cannot be used.
        ConfigError: If the file does not have this format or class.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        device: str = "cpu",
        threads: int | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        *,
        person: str = PERSON,
        format: str = AUTO,
    ) -> None:
        self.threshold = threshold
        self._path = path
        self._label = f"parameter 'detection.model': {path}"
        try:
            self._network = OnnxNetwork(path, device=device, threads=threads)
        except ModelFileError as error:
            raise ModelFileError(f"parameter 'detection.model': {error}") from error
        self._inputs = self._find_inputs()
        self._size = self._inputs.size
        model = self._probe()
        self.format = self._choose_format(format, model)
        self._form = FORMATS[self.format]
        self._person = self._class_index(person, model)
        self._warned = False  # that outputs do not match the format
        self._check_samples(format, model)
        self._check_sample_image(format, model)
        self._batch = (self._inputs.batch or self._free_batch()) if self._form.batched else 1

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return self._network.provider

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """Detect people in images `(H, W, 3) uint8` RGB: boxes clipped to the image, best score first."""
        for image in images:
            check_image(image)
        step = self._batch or max(1, len(images))
        return [boxes for i in range(0, len(images), step) for boxes in self._detect(images[i : i + step])]

    def _detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """Process the images of one batch."""
        fitted = [fit_image(image, self._size.width, self._size.height, self._form.fit, GREY) for image in images]
        outputs = self._run(self._inputs.feed([self._values(each.canvas) for each in fitted]))
        rows = self._form.read(outputs, self._size, self._person)
        if reason := self._form.mismatch(outputs, self._size) or implausible(rows, self._size):
            self._warn(reason)
            return [[] for _ in images]
        return [self._boxes(*each) for each in zip(rows, fitted, images, strict=False)]  # a fixed batch may be padded

    def _free_batch(self) -> int | None:
        """1 if a graph with a variable batch processes one image only; None if it processes any number."""
        values = self._values(np.zeros((self._size.height, self._size.width, 3), np.uint8))
        try:
            outputs = self._run(self._inputs.feed([values, values]))
        except Exception as error:  # ONNX Runtime's exceptions have no common base but Exception
            log.info("%s: processes one image per run (%s)", self._label, _first_line(error))
            return 1
        return None if len(self._form.read(outputs, self._size, self._person)) == 2 else 1

    def _warn(self, reason: str) -> None:
        if not self._warned:
            log.warning(
                "%s: outputs do not match format %r: %s; such outputs are dropped; choose another 'detection.format'",
                self._label,
                self.format,
                reason,
            )
        self._warned = True

    def _boxes(self, rows: FloatArray, fitted: FittedImage, image: NDArray[np.uint8]) -> list[Box]:
        rows = rows[(rows[:, 4] > self.threshold) & np.isfinite(rows).all(axis=1)]
        if self._form.overlapping:
            xywh = np.column_stack([rows[:, :2], rows[:, 2:4] - rows[:, :2]])
            kept = cv2.dnn.NMSBoxes(xywh.tolist(), rows[:, 4].tolist(), self.threshold, MAX_OVERLAP)
            rows = rows[np.ravel(kept).astype(int)]
        in_image = np.column_stack([fitted.boxes_in_image(rows[:, :4]), rows[:, 4]])
        return clean_rows(in_image, image.shape[1], image.shape[0])

    def _values(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        form = self._form
        return self._inputs.values(canvas, bgr=form.bgr, unit=form.unit, imagenet=form.imagenet)

    def _run(self, feed: Mapping[str, NDArray[Any]]) -> Outputs:
        """Run the network; convert float16 outputs, too coarse for pixels, and cut tf2onnx's suffix `:0`."""
        outputs = self._network.run(feed)
        return {
            name.removesuffix(":0"): value.astype(np.float32) if np.issubdtype(value.dtype, np.floating) else value
            for name, value in outputs.items()
        }

    def _find_inputs(self) -> DetectorInputs:
        inputs = DetectorInputs.of(self._network.inputs)
        if inputs is None:
            taken = ", ".join(f"{i.name} {i.type} {list(i.shape)}" for i in self._network.inputs)
            raise ModelFileError(
                f"{self._label}: not a supported detector: its inputs are {taken}, not one image (N, 3, H, W) or "
                "(N, H, W, 3), optionally with the image's size or a mask"
            )
        return inputs

    def _probe(self) -> ProbedModel:
        try:
            samples = sample.sample_outputs(self._run, self._inputs)
        except Exception as error:  # ONNX Runtime's exceptions have no common base but Exception
            raise ModelFileError(f"{self._label}: cannot process a sample image: {_first_line(error)}") from error
        return ProbedModel(samples, self._size, self._inputs.image.name, self._class_names())

    def _class_names(self) -> dict[int, str]:
        text = self._network.metadata.get("names", "")
        names = class_names(text)
        if text and not names:
            log.warning(
                "%s: the names of its classes cannot be parsed: %.80r; specify 'detection.class' by index",
                self._label,
                text,
            )
        return names

    def _choose_format(self, name: str, model: ProbedModel) -> str:
        """Check the format that the user chose, or determine it."""
        shapes = _shapes(model)
        if name == AUTO:
            return self._determine_format(model)
        if name not in FORMATS:
            raise ConfigError(f"parameter 'detection.format': {name!r} is unknown; use {AUTO}, {', '.join(FORMATS)}")
        form = FORMATS[name]
        if not all(form.fits(outputs, self._size) for outputs in model.samples):
            raise ConfigError(
                f"parameter 'detection.format': {name!r} does not match {self._path}, whose outputs are {shapes}"
            )
        if reason := mismatch(form, model):
            raise ConfigError(
                f"parameter 'detection.format': {name!r} does not match {self._path}, whose outputs are {shapes}: "
                f"{reason}"
            )
        return name

    def _determine_format(self, model: ProbedModel) -> str:
        names, mismatches = matching_formats(model)
        if set(names) in SAME_OUTPUTS:
            return self._by_sample_image(*names)
        if len(names) == 1:
            return names[0]
        if names:
            raise ModelFileError(
                f"{self._label}: its outputs for an image of people, {_shapes(model)}, do not determine its format; "
                f"choose with parameter 'detection.format': {', '.join(names)} (see docs/reference/detection.md)"
            )
        reasons = "".join(f"; not {name}: {reason}" for name, reason in mismatches.items())
        raise ModelFileError(
            f"{self._label}: not a detector of a supported format: its outputs are {_shapes(model)}{reasons}; "
            f"supported formats: {', '.join(FORMATS)} (parameter 'detection.format')"
        )

    def _by_sample_image(self, likely: str, other: str) -> str:
        """Choose between formats that differ in preprocessing: the other one if only it detects a person."""
        scores = {name: self._best_score(FORMATS[name]) for name in (likely, other)}
        if scores[likely] <= CONFIDENT < scores[other]:
            log.warning(
                "%s: detects a person in an image of people as format %s, not as %s: using %s "
                "(parameter 'detection.format')",
                self._label,
                other,
                likely,
                other,
            )
            return other
        return likely

    def _best_score(self, form: Format) -> float:
        """Best score of the first class in the sample image."""
        rows = form.read(self._sample_outputs(form, form.unit), self._size, 0)
        return float(rows[..., 4].max(initial=0))

    def _sample_outputs(self, form: Format, unit: bool) -> Outputs:
        """Outputs for the sample image, preprocessed for `form`, with values of 0..1 (`unit`) or of 0..255."""
        canvas = fit_image(sample.sample_image(), self._size.width, self._size.height, form.fit, GREY).canvas
        values = self._inputs.values(canvas, bgr=form.bgr, unit=unit, imagenet=form.imagenet)
        return self._run(self._inputs.feed([values]))

    def _check_sample_image(self, chosen: str, model: ProbedModel) -> None:
        """Refuse implausible boxes of any class in the sample image; warn if no person is detected in it."""
        form, names = self._form, model.class_names
        outputs = self._sample_outputs(form, form.unit)
        count = len(names) or form.classes(outputs, self._size)
        best = class_scores(form, outputs, self._size, count)
        if reason := implausible(best.rows, self._size):
            self._refuse(chosen, model, reason)
        if self._person < len(best.scores) and best.scores[self._person] <= CONFIDENT:
            log.warning(
                "%s: as format %r it detects no person (class %d) in an image of two people, but %s%s; the class, the "
                "range of the image's values or the format may be wrong (parameters 'detection.class' and "
                "'detection.format')",
                self._label,
                self.format,
                self._person,
                best.describe(names),
                self._with_other_range(count),
            )

    def _with_other_range(self, count: int | None) -> str:
        """Hint that a person is detected if the image's values have another range than the format's."""
        form = self._form
        if self._inputs.takes_bytes or form.imagenet:
            return ""
        score = class_scores(form, self._sample_outputs(form, not form.unit), self._size, count).scores[self._person]
        values = "0..255" if form.unit else "0..1"
        return f" (a person {score:.2f} with values of {values})" if score > CONFIDENT else ""

    def _check_samples(self, chosen: str, model: ProbedModel) -> None:
        """Check that there are outputs for every image of a batch, and that boxes and scores are plausible."""
        images = (self._inputs.batch or 1) if self._form.batched else 1
        for outputs in model.samples:
            rows = self._form.read(outputs, self._size, self._person)
            few = f"it has outputs for {len(rows)} images of {images}" if len(rows) != images else ""
            if reason := few or implausible(rows, self._size):
                self._refuse(chosen, model, reason)

    def _refuse(self, chosen: str, model: ProbedModel, reason: str) -> NoReturn:
        message = (
            f"{self._path} has outputs {_shapes(model)}; read as {self.format!r}, {reason}; choose another "
            f"'detection.format' or export it again (docs/reference/detection.md)"
        )
        if chosen == AUTO:
            raise ModelFileError(f"parameter 'detection.model': {message}")
        raise ConfigError(f"parameter 'detection.format': {message}")

    def _class_index(self, person: str, model: ProbedModel) -> int:
        """Index of the class of a person."""
        names = model.class_names
        count = self._form.classes(model.samples[0], self._size) or len(names) or None
        if person in names.values():
            return next(index for index, name in names.items() if name == person)
        if person == PERSON and not names:
            index = self._form.person(count, model.samples)
            if count is not None and count not in _PERSON_FIRST:
                log.warning(
                    "%s: has %d classes without names; class %d is assumed to be a person; otherwise set parameter "
                    "'detection.class'",
                    self._label,
                    count,
                    index,
                )
            return index
        index = int(person) if person.isdecimal() else -1
        if index < 0 or (count is not None and index >= count):
            listed = ", ".join(f"{key} {name}" for key, name in list(names.items())[:_CLASSES_LISTED])
            available = f"{count} classes ({listed}, ...)" if names else f"{count or 'unknown'} classes without names"
            raise ConfigError(
                f"parameter 'detection.class': {person!r} is not a class of {self._path}, which has {available}; "
                "specify a name or an index from 0"
            )
        return index


def _shapes(model: ProbedModel) -> str:
    """Names and shapes of the outputs for the sample image."""
    return ", ".join(f"{name} {list(value.shape)}" for name, value in model.samples[-1].items())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
