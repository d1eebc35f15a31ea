"""Persistent device memory for the inputs of a network, and CUDA graphs that are replayed on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from threading import RLock, get_ident
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .batches import is_out_of_memory

# ONNX Runtime's run option: a graph per positive number; -1 to neither capture nor replay.
_GRAPH_ID = "gpu_graph_id"
_NO_GRAPH = -1
# Serializes the process's networks: during a capture, CUDA forbids other threads to allocate, copy or synchronize.
GPU_LOCK = RLock()
# A capture may choose other algorithms than a plain run, even in half precision.
_REPLAY_TOLERANCE = 1e-2  # relative to an output's largest absolute value


class Source(Protocol):
    """An array that is computed on the device, sliceable by rows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its elements."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, rows: Any, /) -> Source:
        """Select rows."""

    def write(self, memory: onnxruntime.OrtValue) -> None:
        """Compute the array into `memory`, which has its shape and type."""


Feed = Mapping[str, NDArray[Any] | Source]


class GraphError(Exception):
    """The network cannot be captured as a CUDA graph."""


class Binding:
    """Inputs of fixed shapes and types, whose memory is reused for each run.

    With a CUDA graph, the outputs have fixed memory, too. The graph is captured on zero inputs, and then checked to
    give the same outputs for `feed` as a plain run. ONNX Runtime keeps graphs per thread: each needs its own binding.

    Args:
        session: The network's session.
        feed: Inputs that define the shapes and types.
        outputs: Names of the outputs.
        memory: ONNX Runtime's name of the memory, "cpu" or "cuda".
        graph: Number of the CUDA graph, unique in the session; None to run without one.

    Raises:
        GraphError: If the graph cannot be captured, or gives other outputs.
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
            self._io.bind_output(name)  # host memory, allocated by each run
        if graph is not None:
            self._capture(feed, outputs, memory, graph)

    def run(self, feed: Feed) -> list[NDArray[Any]]:
        """Run the network and return its outputs in order."""
        for name, value in feed.items():
            if isinstance(value, np.ndarray):
                self._inputs[name].update_inplace(value)
            else:
                value.write(self._inputs[name])
        return self._launch()

    def _launch(self) -> list[NDArray[Any]]:
        self._session.run_with_iobinding(self._io, self._options)
        outputs: list[NDArray[Any]] = self._io.copy_outputs_to_cpu()
        return outputs

    def _capture(self, feed: Feed, outputs: Sequence[str], memory: str, graph: int) -> None:
        self._options = _run_options(_NO_GRAPH)
        expected = self.run(feed)
        self._io.clear_binding_outputs()
        # Kept, because the graph writes to them.
        self._outputs = [_allocated(value, memory) for value in expected]
        for name, value in zip(outputs, self._outputs, strict=True):
            self._io.bind_ortvalue_output(name, value)
        self._options = _run_options(graph)
        try:
            for name, source in feed.items():
                self._inputs[name].update_inplace(np.zeros(source.shape, source.dtype))
            self._launch()
            replayed = self.run(feed)
        except Exception as error:  # the binding's exceptions have no common base but Exception
            if is_out_of_memory(error):
                raise
            raise GraphError(str(error).strip().partition("\n")[0] or type(error).__name__) from error
        for name, result, value in zip(outputs, replayed, expected, strict=True):
            largest = np.nanmax(np.abs(value), initial=0)
            if not np.allclose(result, value, rtol=0, atol=_REPLAY_TOLERANCE * largest, equal_nan=True):
                raise GraphError(f"its replay gives different values of {name}")


class Bindings:
    """The bindings of a session, one for each set of input shapes; `graphs`: with CUDA graphs."""

    def __init__(
        self, session: onnxruntime.InferenceSession, outputs: Sequence[str], memory: str, *, graphs: bool = False
    ) -> None:
        self._session, self._outputs, self._memory = session, outputs, memory
        self._bound: dict[tuple[tuple[str, tuple[int, ...], str], ...], Binding] = {}
        # Numbers are never reused, since a graph writes to the memory of the binding that it was captured for.
        self._graphs = count(1) if graphs else None
        self._thread = get_ident()
        self._lock = GPU_LOCK if memory == "cuda" else RLock()  # threads would overwrite each other's inputs

    def run(self, feed: Feed) -> list[NDArray[Any]]:
        """Run the network and return its outputs in order.

        Raises:
            GraphError: If a CUDA graph cannot be captured.
        """
        with self._lock:
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
        """Release the bindings and their memory."""
        self._bound.clear()


def _allocated(like: NDArray[Any] | Source, memory: str) -> onnxruntime.OrtValue:
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(like.shape), like.dtype.type, memory, 0)


def _run_options(graph: int) -> onnxruntime.RunOptions:
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(_GRAPH_ID, str(graph))
    return options
