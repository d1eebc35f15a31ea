"""Run networks in ONNX format with ONNX Runtime, on the best available execution provider."""

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
from smplerx_ros.io.files import file_problem

from .batches import BatchLimiter
from .binding import GPU_LOCK, Bindings, Feed, GraphError
from .processor import has_vnni
from .providers import CPU, CUDA, MEMORY, has_cuda_graphs, provider_options, select_providers

log = logging.getLogger(__name__)

# No limit, extended by what is requested (1: kSameAsRequested); defaults of ONNX Runtime otherwise (-1).
_ARENA = {
    "max_mem": 0,
    "arena_extend_strategy": 1,
    "initial_chunk_size_bytes": -1,
    "max_dead_bytes_per_chunk": -1,
}
# Rows per run of the embedded networks on a CPU: larger batches take more memory, exceed the caches and take up to a
# third longer (16 people in benchmarks/people.py).
_MOST_ON_CPU = 2


@dataclass(frozen=True)
class Input:
    """An input of a network; a name or None in `shape` is a variable size, `type` is such as `tensor(float)`."""

    name: str
    shape: tuple[int | str | None, ...]
    type: str


class OnnxNetwork:
    """A loaded network.

    If a preferred provider is missing or does not start, the next one is used and a warning is logged; likewise for
    CUDA graphs.

    Args:
        model: The file, or its content.
        device: One of `providers.PROVIDERS`.
        threads: CPU threads of one run; None for ONNX Runtime's default (all cores).
        bind: Reuse the inputs' device memory in all runs.
        own_arena: Use an arena for this network's host memory, which keeps what the largest batch needed; otherwise use
            the process's arena (`share_arena`), if there is one.
        cuda_graphs: With CUDA, bind the inputs, and capture and replay a graph for each set of their shapes; useful if
            these are few.
        half: The network computes in half precision, so TensorRT may, too.
        most_on_cpu: Maximum rows of one run on a CPU; larger batches are divided.

    Raises:
        ModelFileError: If the file is missing, damaged or not an ONNX network.
        ConfigError: If the device or the number of threads is invalid.
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
        if not isinstance(model, bytes) and (problem := file_problem(Path(model))):
            raise ModelFileError(f"network {label}: {problem}; check the path")
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
        self._lock = GPU_LOCK if self.memory == "cuda" else nullcontext()  # another network may be capturing a graph
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
        """Load network `name` from the package's `assets/`, without an arena: these are small and as fast without."""
        try:
            content = (resources.files("smplerx_ros") / "assets" / name).read_bytes()
        except OSError as error:
            raise ModelFileError(
                f"embedded network {name}: missing from the package's assets; reinstall the package"
            ) from error
        return cls(content, device=device, threads=threads, own_arena=False, most_on_cpu=_MOST_ON_CPU)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return str(self._session.get_providers()[0])

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(item.name for item in self._session.get_inputs())

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Names, shapes and types of the inputs."""
        return tuple(Input(item.name, tuple(item.shape), item.type) for item in self._session.get_inputs())

    @property
    def metadata(self) -> dict[str, str]:
        """Custom metadata of the file."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def memory(self) -> str:
        """ONNX Runtime's name of the memory that holds the network's arrays: "cpu" or "cuda"."""
        return MEMORY.get(self.provider, "cpu")

    def run(self, inputs: Feed) -> dict[str, NDArray[Any]]:
        """Run the network, in parts if the batch does not fit into the device's memory.

        Args:
            inputs: Inputs by name, with the batch as the first axis.

        Returns:
            All outputs by name.

        Raises:
            DeviceError: If the device fails.
        """
        return self._batches.run(self._run, inputs)

    def run_into(
        self, inputs: Mapping[str, NDArray[Any]], output: str, memory: onnxruntime.OrtValue, rows: slice
    ) -> None:
        """Run the network and write its float32 `output` into `rows` of an array in the network's kind of memory."""
        _, *shape = memory.shape()
        row_bytes = int(np.prod(shape)) * np.dtype(np.float32).itemsize
        io = self._session.io_binding()
        for name, value in inputs.items():
            io.bind_cpu_input(name, np.ascontiguousarray(value))
        address = memory.data_ptr() + rows.start * row_bytes
        io.bind_output(output, self.memory, 0, np.float32, [rows.stop - rows.start, *shape], address)
        self._session.run_with_iobinding(io)

    def _run(self, inputs: Feed) -> dict[str, NDArray[Any]]:
        feed = {
            name: np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value
            for name, value in inputs.items()
        }
        if not self._bind:
            with self._lock:
                return dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))
        try:
            outputs = self._bindings.run(feed)
        except GraphError as error:
            self._give_up_graphs(error)
            outputs = self._bindings.run(feed)
        return dict(zip(self._outputs, outputs, strict=True))

    def _opened_with_graphs(self) -> tuple[onnxruntime.InferenceSession, bool]:
        """Open a session with CUDA graphs, or without if ONNX Runtime refuses them; and whether it has them."""
        refused = f"{CUDA} does not start with CUDA graphs"
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
        """Open a new session without graphs, since the stream of the old one may still be capturing."""
        session = self._open()
        if session.get_providers()[0] != self.provider:  # the graph was not the cause
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
    """Let the embedded networks of this process share an arena; call it before they are loaded.

    The arena keeps what the largest batches needed and grows no further, whereas malloc's heaps fragment.
    """
    arena = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    cpu = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, onnxruntime.OrtMemType.DEFAULT)
    onnxruntime.create_and_register_allocator(cpu, onnxruntime.OrtArenaCfg(_ARENA))


def session_options(threads: int | None, *, own_arena: bool = True) -> onnxruntime.SessionOptions:
    """Options for a robot, whose cores are shared: sequential execution, limited threads, no busy waiting."""
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be 1 or more, got {threads}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: one per core
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = own_arena
    options.add_session_config_entry("session.use_env_allocators", "0" if own_arena else "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not has_vnni():
        # Use kernels for 8-bit products that do not saturate but are slower; other networks are not affected.
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3  # errors only: warnings are about internals of the graph
    return options
