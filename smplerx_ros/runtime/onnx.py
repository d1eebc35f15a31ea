"""Networks in ONNX format, run by ONNX Runtime on the best execution provider at hand."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..errors import ConfigError, ModelFileError
from .batches import Arrays, BatchLimiter
from .providers import CPU, provider_options, select_providers

log = logging.getLogger(__name__)

# Where those providers keep their memory, in ONNX Runtime's words; the others compute in the host's.
_DEVICES = {"CUDAExecutionProvider": "cuda", "TensorrtExecutionProvider": "cuda"}


@dataclass(frozen=True)
class Input:
    """An input of a network: a name or None in `shape` is a size that may vary; `type` such as `tensor(float)`."""

    name: str
    shape: tuple[int | str | None, ...]
    type: str


class OnnxNetwork:
    """One loaded network.

    `model` is a file or the file's content; `device` one of `providers.PROVIDERS`; `threads` the CPU threads of one
    run, None for ONNX Runtime's choice (all cores). `bind`: keep the inputs' memory on the device from run to run; by
    default wherever that is not the CPU. `arena`: keep what the largest batch took of the host's memory; large networks
    are slower without. Where a wanted provider is missing or does not start, the next one runs and a warning says why.
    Raises ModelFileError for a file that is missing, damaged or no ONNX network, ConfigError for an unknown device or
    number of threads.
    """

    def __init__(
        self,
        model: bytes | str | PathLike[str],
        *,
        device: str = "cpu",
        threads: int | None = None,
        bind: bool | None = None,
        arena: bool = True,
    ) -> None:
        label = f"{len(model)} bytes in memory" if isinstance(model, bytes) else str(model)
        if not isinstance(model, bytes) and not Path(model).is_file():
            raise ModelFileError(f"network {label}: no such file; check the path")
        wanted = select_providers(device, onnxruntime.get_available_providers())
        source = model if isinstance(model, bytes) else str(model)
        options = session_options(threads, arena=arena)
        try:
            providers = [(name, provider_options(name)) for name in wanted]
            self._session = onnxruntime.InferenceSession(source, options, providers=providers)
        except Exception as error:  # the binding's exceptions have no common base but Exception
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelFileError(
                f"network {label}: not a usable ONNX file ({reason}); convert or copy it again"
            ) from error
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._bind = self.provider != CPU if bind is None else bind
        self._bound: dict[tuple[tuple[str, tuple[int, ...], str], ...], _BoundInputs] = {}
        self._batches = BatchLimiter(f"network {label} on {self.provider}", self._bound.clear)
        if self.provider != wanted[0]:
            log.warning(
                "network %s: %s did not start (driver or library missing?), using %s", label, wanted[0], self.provider
            )

    @classmethod
    def from_asset(cls, name: str, *, device: str = "cpu", threads: int | None = None) -> OnnxNetwork:
        """Network `name` of the package's own `assets/`: small and several, as quick without arenas that only grow."""
        try:
            content = (resources.files("smplerx_ros") / "assets" / name).read_bytes()
        except OSError as error:
            raise ModelFileError(
                f"embedded network {name}: missing from the package's assets; install it again"
            ) from error
        return cls(content, device=device, threads=threads, arena=False)

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

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name, of inputs by name; in parts where the batch does not fit into the device's memory.

        Raises DeviceError where the device fails.
        """
        return self._batches.run(self._run, inputs)

    def _run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        feed = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        if not self._bind:
            return dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))
        kinds = tuple((name, value.shape, value.dtype.str) for name, value in feed.items())
        if kinds not in self._bound:
            self._bound[kinds] = _BoundInputs(self._session, feed, self._outputs)
        return dict(zip(self._outputs, self._bound[kinds].run(feed), strict=True))


class _BoundInputs:
    """Memory on the device for inputs of one shape and type, filled anew for each run."""

    def __init__(
        self, session: onnxruntime.InferenceSession, feed: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> None:
        device = _DEVICES.get(session.get_providers()[0], "cpu")
        self._session = session
        self._binding = session.io_binding()
        self._inputs = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(value, device, 0) for name, value in feed.items()
        }
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for name in outputs:
            self._binding.bind_output(name)  # into the host's memory, allocated by each run

    def run(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        for name, value in feed.items():
            self._inputs[name].update_inplace(value)
        self._session.run_with_iobinding(self._binding)
        answers: list[NDArray[Any]] = self._binding.copy_outputs_to_cpu()
        return answers


def session_options(threads: int | None, *, arena: bool = True) -> onnxruntime.SessionOptions:
    """One network after the other, few threads, no busy waiting: a robot's cores are shared."""
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be 1 or more, got {threads}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: ONNX Runtime takes one per core
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = arena
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: the rest is about the graph's insides
    return options
