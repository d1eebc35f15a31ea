"""Any exported person detector: its file says what it takes, its answers to a picture what it gives."""

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

from . import probe
from .builtin import check_image
from .class_names import class_names
from .clean import clean_rows
from .feed import Feed
from .formats import FORMATS, GREY, LIKELY, SAME_OUTPUTS, Format, Graph, Outputs, doubt, implausible, recognised
from .merge import MAX_OVERLAP
from .resize import Placed, place
from .sight import sight

log = logging.getLogger(__name__)

AUTO = "auto"
PERSON = "person"
_CLASSES_LISTED = 10  # in an error
# Numbers of classes in which the place of a person is known: a person alone, and COCO's, as classes, as categories, and
# these with one for the background on top.
_PERSON_FIRST = (1, 80, 90, 91, 92)


class OnnxDetector:
    """The detector in an ONNX file.

    `format` one of `formats.FORMATS`, or found from the graph; `person` the class: its name, if the file has names, or
    its index. `device` and `threads` as in `OnnxNetwork`; `threshold` 0..1 of the score. Raises ModelFileError for a
    file that cannot be used, ConfigError for a format or class that the file does not have.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        device: str = "cpu",
        threads: int | None = None,
        threshold: float = 0.3,
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
        self._feed = self._inputs()
        self._size = self._feed.size
        graph = self._graph()
        self.format = self._known(format, graph)
        self._form = FORMATS[self.format]
        self._person = self._class_index(person, graph)
        self._told = False  # that answers cannot be what the format says
        self._check(format, graph)
        self._look(format, graph)
        self._batch = (self._feed.batch or self._free_batch()) if self._form.batched else 1

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return self._network.provider

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """People of each image `(H, W, 3) uint8 RGB`: boxes inside the image, best score first."""
        for image in images:
            check_image(image)
        step = self._batch or max(1, len(images))
        return [boxes for i in range(0, len(images), step) for boxes in self._detect(images[i : i + step])]

    def _detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        """Images of one batch."""
        placed = [place(image, self._size.width, self._size.height, self._form.fit, GREY) for image in images]
        outputs = self._run(self._feed.of_images([self._values(each.canvas) for each in placed]))
        rows = self._form.read(outputs, self._size, self._person)
        if reason := self._form.doubt(outputs, self._size) or implausible(rows, self._size):
            self._tell(reason)
            return [[] for _ in images]
        return [self._boxes(*each) for each in zip(rows, placed, images, strict=False)]  # a fixed batch may have rest

    def _free_batch(self) -> int | None:
        """One where a graph whose input has a free batch answers for one image only; None: any number."""
        values = self._values(np.zeros((self._size.height, self._size.width, 3), np.uint8))
        try:
            outputs = self._run(self._feed.of_images([values, values]))
        except Exception as error:  # ONNX Runtime's exceptions have no common base but Exception
            log.info("%s: takes one image a run (%s)", self._label, _first_line(error))
            return 1
        return None if len(self._form.read(outputs, self._size, self._person)) == 2 else 1

    def _tell(self, reason: str) -> None:
        if not self._told:
            log.warning(
                "%s: what it answers cannot be of format %r: %s; such answers are dropped; choose another "
                "'detection.format'",
                self._label,
                self.format,
                reason,
            )
        self._told = True

    def _boxes(self, rows: FloatArray, placed: Placed, image: NDArray[np.uint8]) -> list[Box]:
        rows = rows[(rows[:, 4] > self.threshold) & np.isfinite(rows).all(axis=1)]
        if self._form.overlapping:
            xywh = np.column_stack([rows[:, :2], rows[:, 2:4] - rows[:, :2]])
            kept = cv2.dnn.NMSBoxes(xywh.tolist(), rows[:, 4].tolist(), self.threshold, MAX_OVERLAP)
            rows = rows[np.ravel(kept).astype(int)]
        in_image = np.column_stack([placed.boxes_in_image(rows[:, :4]), rows[:, 4]])
        return clean_rows(in_image, image.shape[1], image.shape[0])

    def _values(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        form = self._form
        return self._feed.values(canvas, bgr=form.bgr, unit=form.unit, imagenet=form.imagenet)

    def _run(self, feed: Mapping[str, NDArray[Any]]) -> Outputs:
        """Floating-point outputs as float32: half precision does not hold pixels. tf2onnx's names end in `:0`."""
        outputs = self._network.run(feed)
        return {
            name.removesuffix(":0"): value.astype(np.float32) if np.issubdtype(value.dtype, np.floating) else value
            for name, value in outputs.items()
        }

    def _inputs(self) -> Feed:
        feed = Feed.of(self._network.inputs)
        if feed is None:
            taken = ", ".join(f"{i.name} {i.type} {list(i.shape)}" for i in self._network.inputs)
            raise ModelFileError(
                f"{self._label}: is not a detector that can be used: it takes {taken}, not one image (N, 3, H, W) or "
                "(N, H, W, 3), with at most the image's size or a mask beside it"
            )
        return feed

    def _graph(self) -> Graph:
        try:
            answers = probe.answers(self._run, self._feed)
        except Exception as error:  # ONNX Runtime's exceptions have no common base but Exception
            raise ModelFileError(f"{self._label}: does not run on an empty image: {_first_line(error)}") from error
        return Graph(answers, self._size, self._feed.image.name, self._class_names())

    def _class_names(self) -> dict[int, str]:
        text = self._network.metadata.get("names", "")
        names = class_names(text)
        if text and not names:
            log.warning(
                "%s: the names of its classes cannot be read: %.80r; 'detection.class' takes an index",
                self._label,
                text,
            )
        return names

    def _known(self, name: str, graph: Graph) -> str:
        """The format, which the outputs have."""
        shapes = _shapes(graph)
        if name == AUTO:
            return self._found(graph)
        if name not in FORMATS:
            raise ConfigError(f"parameter 'detection.format': {name!r} is unknown; use {AUTO}, {', '.join(FORMATS)}")
        form = FORMATS[name]
        if not all(form.fits(answer, self._size) for answer in graph.answers):
            raise ConfigError(
                f"parameter 'detection.format': {name!r} does not fit {self._path}, which answers {shapes}"
            )
        if reason := doubt(form, graph):
            raise ConfigError(
                f"parameter 'detection.format': {name!r} does not fit {self._path}, which answers {shapes}: {reason}"
            )
        return name

    def _found(self, graph: Graph) -> str:
        names, doubts = recognised(graph)
        if set(names) in SAME_OUTPUTS:
            return self._by_picture(*names)
        if len(names) == 1:
            return names[0]
        if names:
            raise ModelFileError(
                f"{self._label}: it answers {_shapes(graph)} to a picture of people, which does not tell its format; "
                f"choose with parameter 'detection.format': {', '.join(names)} "
                "(docs/reference/detection.md says what they are)"
            )
        reasons = "".join(f"; not {name}: {reason}" for name, reason in doubts.items())
        raise ModelFileError(
            f"{self._label}: is not a detector of a known format: it answers {_shapes(graph)}{reasons}; "
            f"known are {', '.join(FORMATS)} (parameter 'detection.format')"
        )

    def _by_picture(self, likely: str, other: str) -> str:
        """Of two formats that differ in the image they take, the other one where it alone sees somebody."""
        scores = {name: self._best_score(FORMATS[name]) for name in (likely, other)}
        if scores[likely] <= LIKELY < scores[other]:
            log.warning(
                "%s: sees somebody in a picture of people as format %s, not as %s: taken for %s "
                "(parameter 'detection.format')",
                self._label,
                other,
                likely,
                other,
            )
            return other
        return likely

    def _best_score(self, form: Format) -> float:
        """Of anything in the picture, in the first class."""
        rows = form.read(self._answer(form, form.unit), self._size, 0)
        return float(rows[..., 4].max(initial=0))

    def _answer(self, form: Format, unit: bool) -> Outputs:
        """To the picture in the form's way, with values of 0..1 or of 0..255."""
        canvas = place(probe.picture(), self._size.width, self._size.height, form.fit, GREY).canvas
        values = self._feed.values(canvas, bgr=form.bgr, unit=unit, imagenet=form.imagenet)
        return self._run(self._feed.of_images([values]))

    def _look(self, wanted: str, graph: Graph) -> None:
        """Whether a person is seen in the picture of people, and boxes of any class can be boxes."""
        form, names = self._form, graph.class_names
        answer = self._answer(form, form.unit)
        count = len(names) or form.classes(answer, self._size)
        seen = sight(form, answer, self._size, count)
        if reason := implausible(seen.rows, self._size):
            self._refuse(wanted, graph, reason)
        if self._person < len(seen.scores) and seen.scores[self._person] <= LIKELY:
            log.warning(
                "%s: as format %r it sees no person (class %d) in a picture of two people, but %s%s; the class, the "
                "scale of the image or the format may be wrong (parameters 'detection.class', 'detection.format')",
                self._label,
                self.format,
                self._person,
                seen.text(names),
                self._in_other_scale(count),
            )

    def _in_other_scale(self, count: int | None) -> str:
        """That a person is seen where the image's values have another scale than the format's."""
        form = self._form
        if self._feed.of_bytes or form.imagenet:
            return ""
        scores = sight(form, self._answer(form, not form.unit), self._size, count).scores
        scale = "0..255" if form.unit else "0..1"
        return f" (a person {scores[self._person]:.2f} with values of {scale})" if scores[self._person] > LIKELY else ""

    def _check(self, wanted: str, graph: Graph) -> None:
        """That there are answers for every image, and boxes that can be boxes."""
        images = (self._feed.batch or 1) if self._form.batched else 1
        for answer in graph.answers:
            rows = self._form.read(answer, self._size, self._person)
            few = f"it answers for {len(rows)} images of {images}" if len(rows) != images else ""
            if reason := few or implausible(rows, self._size):
                self._refuse(wanted, graph, reason)

    def _refuse(self, wanted: str, graph: Graph, reason: str) -> NoReturn:
        message = (
            f"{self._path} answers {_shapes(graph)}; read as {self.format!r}, {reason}; choose another "
            f"'detection.format' or export it again (docs/reference/detection.md)"
        )
        if wanted == AUTO:
            raise ModelFileError(f"parameter 'detection.model': {message}")
        raise ConfigError(f"parameter 'detection.format': {message}")

    def _class_index(self, person: str, graph: Graph) -> int:
        """Of the class that is a person."""
        names = graph.class_names
        count = self._form.classes(graph.answers[0], self._size) or len(names) or None
        if person in names.values():
            return next(index for index, name in names.items() if name == person)
        if person == PERSON and not names:
            index = self._form.person(count, graph.answers)
            if count is not None and count not in _PERSON_FIRST:
                log.warning(
                    "%s: has %d classes without names; class %d is taken for a person: where it is not, name the "
                    "person's class with parameter 'detection.class'",
                    self._label,
                    count,
                    index,
                )
            return index
        index = int(person) if person.isdecimal() else -1
        if index < 0 or (count is not None and index >= count):
            listed = ", ".join(f"{key} {name}" for key, name in list(names.items())[:_CLASSES_LISTED])
            there = f"{count} classes ({listed}, ...)" if names else f"{count or 'unknown'} classes without names"
            raise ConfigError(
                f"parameter 'detection.class': {person!r} is not a class of {self._path}, which has {there}; "
                "use a name or an index from 0 on"
            )
        return index


def _shapes(graph: Graph) -> str:
    """Of the answer to the picture."""
    return ", ".join(f"{name} {list(value.shape)}" for name, value in graph.answers[-1].items())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
