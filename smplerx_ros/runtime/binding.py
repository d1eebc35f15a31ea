"""Memory on a device that stays bound to a network from run to run, and the CUDA graph that is replayed over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from threading import RLock, get_ident
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .batches import is_out_of_memory

# ONNX Runtime's run option: one graph for each number above 0; -1, neither captured nor replayed.
_GRAPH_ID = "gpu_graph_id"
_NO_GRAPH = -1
# The process's networks take turns: while one is captured, CUDA forbids other threads to allocate, copy or wait.
GPU = RLock()
# A replay runs the kernels of a plain run; other algorithms may be chosen for a capture, in half precision too.
_REPLAY_TOLERANCE = 1e-2  # of an output's largest value


class Source(Protocol):
    """Rows that are made on the device itself."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its elements."""

    def __len__(self) -> int:
        """Rows."""

    def __getitem__(self, rows: Any, /) -> Source:
        """Some of the rows."""

    def write(self, memory: onnxruntime.OrtValue) -> None:
        """Fills `memory` of this shape and type."""


Feed = Mapping[str, NDArray[Any] | Source]


class GraphError(Exception):
    """The network cannot be captured as a CUDA graph."""


class Binding:
    """Inputs of one shape and type, filled anew for each run, in `memory` ("cpu", "cuda").

    `graph`, unique in the session: the outputs have fixed memory too, and runs replay a CUDA graph. It is captured
    here over empty inputs, and must then answer to `feed` what a plain run answers; GraphError where it does not. ONNX
    Runtime keeps graphs by thread: another thread needs a binding of its own.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        feed: Feed,
        outputs: Sequence[str],
        memory: str,
        graph: int | None = None,
    ) -> None:
        self._session = session
        self._io = session.io_binding()
        self._options: onnxruntime.RunOptions | None = None
        self._inputs = {name: _allocated(value, memory) for name, value in feed.items()}
        for name, value in self._inputs.items():
            self._io.bind_ortvalue_input(name, value)
        for name in outputs:
            self._io.bind_output(name)  # into the host's memory, allocated by each run
        if graph is not None:
            self._capture(feed, outputs, memory, graph)

    def run(self, feed: Feed) -> list[NDArray[Any]]:
        """The outputs, in their order."""
        for name, value in feed.items():
            if isinstance(value, np.ndarray):
                self._inputs[name].update_inplace(value)
            else:
                value.write(self._inputs[name])
        return self._launch()

    def _launch(self) -> list[NDArray[Any]]:
        self._session.run_with_iobinding(self._io, self._options)
        answers: list[NDArray[Any]] = self._io.copy_outputs_to_cpu()
        return answers

    def _capture(self, feed: Feed, outputs: Sequence[str], memory: str, graph: int) -> None:
        self._options = _run_options(_NO_GRAPH)
        expected = self.run(feed)
        self._io.clear_binding_outputs()
        self._outputs = [_allocated(value, memory) for value in expected]  # the graph writes there: they must live
        for name, value in zip(outputs, self._outputs, strict=True):
            self._io.bind_ortvalue_output(name, value)
        self._options = _run_options(graph)
        try:
            for name, source in feed.items():
                self._inputs[name].update_inplace(np.zeros(source.shape, source.dtype))
            self._launch()
            answers = self.run(feed)
        except Exception as error:  # the binding's exceptions have no common base but Exception
            if is_out_of_memory(error):
                raise
            raise GraphError(str(error).strip().partition("\n")[0] or type(error).__name__) from error
        for name, answer, value in zip(outputs, answers, expected, strict=True):
            largest = np.nanmax(np.abs(value), initial=0)
            if not np.allclose(answer, value, rtol=0, atol=_REPLAY_TOLERANCE * largest, equal_nan=True):
                raise GraphError(f"its replay answers another {name}")


class Bindings:
    """The bindings of a session, one for each set of shapes; `graphs`: they replay CUDA graphs."""

    def __init__(
        self, session: onnxruntime.InferenceSession, outputs: Sequence[str], memory: str, *, graphs: bool = False
    ) -> None:
        self._session, self._outputs, self._memory = session, outputs, memory
        self._bound: dict[tuple[tuple[str, tuple[int, ...], str], ...], Binding] = {}
        # A number is never used again: its graph would write where a binding that was given up had its memory.
        self._graphs = count(1) if graphs else None
        self._thread = get_ident()
        self._turn = GPU if memory == "cuda" else RLock()  # two threads would run over each other's inputs

    def run(self, feed: Feed) -> list[NDArray[Any]]:
        """The outputs, in their order. Raises GraphError."""
        with self._turn:
            return self._binding(feed).run(feed)

    def _binding(self, feed: Feed) -> Binding:
        if self._graphs is not None and self._thread != get_ident():
            self.clear()
            self._thread = get_ident()
        kinds = tuple((name, value.shape, value.dtype.str) for name, value in feed.items())
        if kinds not in self._bound:
            graph = None if self._graphs is None else next(self._graphs)
            self._bound[kinds] = Binding(self._session, feed, self._outputs, self._memory, graph)
        return self._bound[kinds]

    def clear(self) -> None:
        """Gives their memory back."""
        self._bound.clear()


def _allocated(like: NDArray[Any] | Source, memory: str) -> onnxruntime.OrtValue:
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(like.shape), like.dtype.type, memory, 0)


def _run_options(graph: int) -> onnxruntime.RunOptions:
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(_GRAPH_ID, str(graph))
    return options
