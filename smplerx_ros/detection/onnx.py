"""Any exported person detector: its file says what it takes, its answer to an empty image what it gives."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from os import PathLike
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ModelFileError
from ..runtime.onnx import Input, OnnxNetwork
from ..types import Box
from .builtin import check_image
from .clean import clean_rows
from .formats import FORMATS, GREY, IMAGENET_DEVIATION, IMAGENET_MEAN, Outputs, Size, recognised
from .merge import MAX_OVERLAP
from .resize import Placed, place

FloatArray = NDArray[np.floating[Any]]

AUTO = "auto"
PERSON = "person"
COCO_CATEGORIES = 91  # where a network has as many classes, they are COCO's category numbers: a person is 1, else 0
FREE_SIDE = 640  # pixels of an input whose size is free, as these networks were trained
_CLASSES_LISTED = 10  # in an error
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_SIZE_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}


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
        self._label = f"parameter 'detector_model': {path}"
        try:
            self._network = OnnxNetwork(path, device=device, threads=threads)
        except ModelFileError as error:
            raise ModelFileError(f"parameter 'detector_model': {error}") from error
        self._image, self._others = self._inputs()
        self._channels_first = self._image.shape[1] == 3
        height, width = self._image.shape[2:] if self._channels_first else self._image.shape[1:3]
        self._size = Size(*(side if isinstance(side, int) else FREE_SIDE for side in (width, height)))
        batch = self._image.shape[0]
        self._batch = batch if isinstance(batch, int) else None
        outputs = self._answer_to_nothing()
        self.format = self._known(format, outputs)
        self._form = FORMATS[self.format]
        self._person = self._class_index(person, outputs)

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
        rows = self._form.read(self._run([self._values(each.canvas) for each in placed]), self._size, self._person)
        return [self._boxes(*each) for each in zip(rows, placed, images, strict=False)]  # a fixed batch may have rest

    def _boxes(self, rows: FloatArray, placed: Placed, image: NDArray[np.uint8]) -> list[Box]:
        rows = rows[(rows[:, 4] > self.threshold) & np.isfinite(rows).all(axis=1)]
        if self._form.overlapping:
            xywh = np.column_stack([rows[:, :2], rows[:, 2:4] - rows[:, :2]])
            kept = cv2.dnn.NMSBoxes(xywh.tolist(), rows[:, 4].tolist(), self.threshold, MAX_OVERLAP)
            rows = rows[np.ravel(kept).astype(int)]
        in_image = np.column_stack([placed.boxes_in_image(rows[:, :4]), rows[:, 4]])
        return clean_rows(in_image, image.shape[1], image.shape[0])

    def _values(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        """A canvas as the network takes it."""
        image = canvas[..., ::-1] if self._form.bgr else canvas
        dtype = _TYPES[self._image.type]
        values: NDArray[Any] = image
        if dtype is not np.uint8:  # a graph that takes bytes scales them itself
            values = image.astype(np.float32) / (255 if self._form.unit else 1)
            if self._form.imagenet:
                values = (values - IMAGENET_MEAN) / IMAGENET_DEVIATION
        return (values.transpose(2, 0, 1) if self._channels_first else values).astype(dtype)

    def _run(self, images: Sequence[NDArray[Any]]) -> Outputs:
        batch = np.stack([*images, *[images[-1]] * ((self._batch or len(images)) - len(images))])
        feed = {self._image.name: batch}
        for other in self._others:  # the size in which boxes are wanted: the input's, like everybody else's
            size = np.array([[self._size.width, self._size.height]], _SIZE_TYPES[other.type])
            feed[other.name] = size.repeat(len(batch), axis=0)
        return self._network.run(feed)

    def _inputs(self) -> tuple[Input, list[Input]]:
        """The image, and sizes of it if the graph asks for them."""
        inputs = self._network.inputs
        images = [i for i in inputs if len(i.shape) == 4 and 3 in (i.shape[1], i.shape[3]) and i.type in _TYPES]
        sizes = [i for i in inputs if len(i.shape) == 2 and i.shape[1] == 2 and i.type in _SIZE_TYPES]
        if len(images) != 1 or len(images) + len(sizes) != len(inputs):
            taken = ", ".join(f"{i.name} {i.type} {list(i.shape)}" for i in inputs)
            raise ModelFileError(
                f"{self._label}: is not a detector that can be used: it takes {taken}, not one image (N, 3, H, W) or "
                "(N, H, W, 3), with at most the image's size beside it"
            )
        return images[0], sizes

    def _answer_to_nothing(self) -> Outputs:
        sides = (self._size.height, self._size.width)
        shape = (3, *sides) if self._channels_first else (*sides, 3)
        try:
            return self._run([np.zeros(shape, _TYPES[self._image.type])])
        except Exception as error:  # ONNX Runtime's exceptions have no common base but Exception
            raise ModelFileError(f"{self._label}: does not run on an empty image: {_first_line(error)}") from error

    def _known(self, name: str, outputs: Outputs) -> str:
        """The format, which the outputs have."""
        shapes = ", ".join(f"{key} {list(value.shape)}" for key, value in outputs.items())
        if name == AUTO:
            found = recognised(outputs, self._size)
            if found is None:
                raise ModelFileError(
                    f"{self._label}: is not a detector of a known format: it answers {shapes}; "
                    f"known are {', '.join(FORMATS)} (parameter 'detector_format')"
                )
            return found
        if name not in FORMATS:
            raise ConfigError(f"parameter 'detector_format': {name!r} is unknown; use {AUTO}, {', '.join(FORMATS)}")
        if not FORMATS[name].fits(outputs, self._size):
            raise ConfigError(
                f"parameter 'detector_format': {name!r} does not fit {self._path}, which answers {shapes}"
            )
        return name

    def _class_index(self, person: str, outputs: Outputs) -> int:
        """Of the class that is a person."""
        names = _class_names(self._network.metadata)
        count = self._form.classes(outputs) or len(names) or None
        if person in names.values():
            return next(index for index, name in names.items() if name == person)
        if person == PERSON and not names:
            return int(count == COCO_CATEGORIES)
        index = int(person) if person.isdecimal() else -1
        if index < 0 or (count is not None and index >= count):
            listed = ", ".join(f"{key} {name}" for key, name in list(names.items())[:_CLASSES_LISTED])
            there = f"{count} classes ({listed}, ...)" if names else f"{count or 'unknown'} classes without names"
            raise ConfigError(
                f"parameter 'detector_class': {person!r} is not a class of {self._path}, which has {there}; "
                "use a name or an index from 0 on"
            )
        return index


def _class_names(metadata: dict[str, str]) -> dict[int, str]:
    """As Ultralytics writes them into a file: the text of a dictionary."""
    try:
        names = ast.literal_eval(metadata.get("names", "{}"))
        return {int(index): str(name) for index, name in dict(names).items()}
    except (ValueError, SyntaxError, TypeError):
        return {}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
