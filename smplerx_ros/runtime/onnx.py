"""Networks in ONNX format, run by ONNX Runtime on the best execution provider at hand."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.io.files import why_no_file

from .batches import BatchLimiter
from .binding import GPU, Bindings, Feed, GraphError
from .processor import has_vnni
from .providers import CPU, CUDA, MEMORY, has_cuda_graphs, provider_options, select_providers

log = logging.getLogger(__name__)

# No limit, and no more than was asked for (1: kSameAsRequested); the rest as ONNX Runtime has it (-1).
_ARENA = {
    "max_mem": 0,
    "arena_extend_strategy": 1,
    "initial_chunk_size_bytes": -1,
    "max_dead_bytes_per_chunk": -1,
}
# Rows of a batch that a CPU computes at once in the embedded networks: more take more memory and leave the caches, and
# that costs up to a third more time (16 people in benchmarks/people.py).
_MOST_ON_CPU = 2


@dataclass(frozen=True)
class Input:
    """An input of a network: a name or None in `shape` is a size that may vary; `type` such as `tensor(float)`."""

    name: str
    shape: tuple[int | str | None, ...]
    type: str


class OnnxNetwork:
    """One loaded network.

    `model` is a file or the file's content; `device` one of `providers.PROVIDERS`; `threads` the CPU threads of one
    run, None for ONNX Runtime's choice (all cores). `bind`: keep the inputs' memory on the device from run to run.
    `own_arena`: keep what the largest batch took of the host's memory for this network; otherwise it is the process's
    arena (`share_arena`) that does, or nothing. `cuda_graphs`: where CUDA runs it, bind the inputs, and capture and
    replay one for each shape of them; of use where those are few. `half`: the network computes in half precision, so
    TensorRT may. `most_on_cpu`: a CPU runs larger batches in parts of so many rows. Where a wanted provider is missing
    or does not start, the next one runs and a warning says why; so for graphs. Raises ModelFileError for a file that is
    missing, damaged or no ONNX network, ConfigError for an unknown device or number of threads.
    """

    def __init__(
        self,
        model: bytes | str | PathLike[str],
        *,
        device: str = "cpu",
        threads: int | None = None,
        bind: bool = False,
        own_arena: bool = True,
        cuda_graphs: bool = False,
        half: bool = False,
        most_on_cpu: int | None = None,
    ) -> None:
        label = f"{len(model)} bytes in memory" if isinstance(model, bytes) else str(model)
        if not isinstance(model, bytes) and (no_file := why_no_file(Path(model))):
            raise ModelFileError(f"network {label}: {no_file}; check the path")
        wanted = select_providers(device, onnxruntime.get_available_providers())
        source = model if isinstance(model, bytes) else str(model)
        self._label = f"network {label}"
        options = session_options(threads, own_arena=own_arena)
        self._open = partial(_open_session, source, options, wanted, threads, half=half)
        graphs = cuda_graphs and wanted[0] == CUDA and has_cuda_graphs()
        try:
            self._session, graphs = self._opened_with_graphs() if graphs else (self._open(), False)
        except Exception as error:  # the binding's exceptions have no common base but Exception
            raise ModelFileError(
                f"network {label}: not a usable ONNX file ({_reason(error)}); convert or copy it again"
            ) from error
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._bind = bind or (cuda_graphs and self.provider == CUDA)
        self._turn = GPU if self.memory == "cuda" else nullcontext()  # a graph of another network may be captured
        self._bindings = Bindings(self._session, self._outputs, self.memory, graphs=graphs)
        self._batches = BatchLimiter(
            f"network {label} on {self.provider}",
            lambda: self._bindings.clear(),
            most=most_on_cpu if self.provider == CPU else None,
        )
        if self.provider != wanted[0]:
            log.warning(
                "network %s: %s did not start (driver or library missing?), using %s", label, wanted[0], self.provider
            )

    @classmethod
    def from_asset(cls, name: str, *, device: str = "cpu", threads: int | None = None) -> OnnxNetwork:
        """Network `name` of the package's own `assets/`: small and several, as quick without an arena each."""
        try:
            content = (resources.files("smplerx_ros") / "assets" / name).read_bytes()
        except OSError as error:
            raise ModelFileError(
                f"embedded network {name}: missing from the package's assets; install it again"
            ) from error
        return cls(content, device=device, threads=threads, own_arena=False, most_on_cpu=_MOST_ON_CPU)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return str(self._session.get_providers()[0])

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names that `run` takes."""
        return tuple(item.name for item in self._session.get_inputs())

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What `run` takes."""
        return tuple(Input(item.name, tuple(item.shape), item.type) for item in self._session.get_inputs())

    @property
    def metadata(self) -> dict[str, str]:
        """What the exporter wrote into the file beside the graph."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def memory(self) -> str:
        """Where it keeps its arrays, in ONNX Runtime's words: "cpu" or "cuda"."""
        return MEMORY.get(self.provider, "cpu")

    def run(self, inputs: Feed) -> dict[str, NDArray[Any]]:
        """All outputs by name, of inputs by name; in parts where the batch does not fit into the device's memory.

        Raises DeviceError where the device fails.
        """
        return self._batches.run(self._run, inputs)

    def run_into(
        self, inputs: Mapping[str, NDArray[Any]], output: str, memory: onnxruntime.OrtValue, rows: slice
    ) -> None:
        """Runs it with its float32 `output` written into `rows` of an array that lies in its own kind of memory."""
        _, *shape = memory.shape()
        row_bytes = int(np.prod(shape)) * np.dtype(np.float32).itemsize
        io = self._session.io_binding()
        for name, value in inputs.items():
            io.bind_cpu_input(name, np.ascontiguousarray(value))
        place = memory.data_ptr() + rows.start * row_bytes
        io.bind_output(output, self.memory, 0, np.float32, [rows.stop - rows.start, *shape], place)
        self._session.run_with_iobinding(io)

    def _run(self, inputs: Feed) -> dict[str, NDArray[Any]]:
        feed = {
            name: np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value
            for name, value in inputs.items()
        }
        if not self._bind:
            with self._turn:
                return dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))
        try:
            answers = self._bindings.run(feed)
        except GraphError as error:
            self._give_up_graphs(error)
            answers = self._bindings.run(feed)
        return dict(zip(self._outputs, answers, strict=True))

    def _opened_with_graphs(self) -> tuple[onnxruntime.InferenceSession, bool]:
        """A session with CUDA graphs, or without where ONNX Runtime refuses them, and which it is."""
        refused = f"{CUDA} does not start with them"
        try:
            session = self._open(cuda_graphs=True)
            if session.get_providers()[0] == CUDA:
                return session, True
        except Exception as error:  # the binding's exceptions have no common base but Exception
            refused = _reason(error)
        session = self._open()
        if session.get_providers()[0] == CUDA:
            log.warning("%s: runs without CUDA graphs (%s)", self._label, refused)
        return session, False

    def _give_up_graphs(self, error: GraphError) -> None:
        """A new session: the stream of the old one may still be capturing."""
        session = self._open()
        if session.get_providers()[0] != self.provider:  # it was not the graph's fault
            raise error.__cause__ or error
        log.warning("%s: runs without CUDA graphs (%s)", self._label, error)
        self._session = session
        self._bindings = Bindings(session, self._outputs, self.memory)


def _open_session(
    model: bytes | str,
    options: onnxruntime.SessionOptions,
    providers: Sequence[str],
    threads: int | None,
    *,
    half: bool,
    cuda_graphs: bool = False,
) -> onnxruntime.InferenceSession:
    options_of = partial(provider_options, threads=threads, cuda_graphs=cuda_graphs, half=half)
    return onnxruntime.InferenceSession(model, options, providers=[(name, options_of(name)) for name in providers])


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def share_arena() -> None:
    """Give the embedded networks of this process one arena; call it before they are loaded.

    It keeps what their largest batches took and grows no further, where the C library's heaps wander.
    """
    arena = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    cpu = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, onnxruntime.OrtMemType.DEFAULT)
    onnxruntime.create_and_register_allocator(cpu, onnxruntime.OrtArenaCfg(_ARENA))


def session_options(threads: int | None, *, own_arena: bool = True) -> onnxruntime.SessionOptions:
    """One network after the other, few threads, no busy waiting: a robot's cores are shared."""
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be 1 or more, got {threads}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: ONNX Runtime takes one per core
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = own_arena
    options.add_session_config_entry("session.use_env_allocators", "0" if own_arena else "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not has_vnni():
        # Products of 8-bit numbers by kernels that do not overflow, but take longer; no difference to other networks.
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3  # errors only: the rest is about the graph's insides
    return options
