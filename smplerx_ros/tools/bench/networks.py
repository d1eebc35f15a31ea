"""Speed of the networks: ONNX Runtime compared with eager PyTorch and with the processor's peak (GEMM).

Weights are random, since speed does not depend on them. Networks, baseline and large matrix products alternate in one
process; the median of each is reported. One thread is measured in CPU time; several threads, and accelerators with a
provider in ONNX Runtime, in wall time, for which the machine should be idle. Needs torch.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from smplerx_ros.backbones.smpler_x.network import CropNetwork
    from smplerx_ros.io.report import Report
    from smplerx_ros.runtime.onnx import OnnxNetwork

    from .timing import Times

    Network = Callable[[NDArray[np.float32]], object]

NAME = "networks"
_COLUMNS = (
    *("backbone", "runtime", "threads", "batch", "ms a person: median", "p95", "least", "GFLOP/s"),
    *("GEMM peak", "of it", "eager / this"),
)
_BASELINE = "torch eager"
_SIDES = (512, 1024, 2048)  # of the square matrices whose product measures the processor's peak


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this benchmark."""
    from smplerx_ros.backbones.registry import BACKBONES
    from smplerx_ros.backbones.smpler_x.bundle import BUNDLE_PRECISIONS
    from smplerx_ros.runtime.providers import PROVIDERS

    choices = [name for name, entry in BACKBONES.items() if entry.needs_weights]
    parser.add_argument("--backbone", nargs="+", default=["s32", "b32"], choices=choices, help="[s32 b32]")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="on the CPU [1 2]")
    parser.add_argument("--batch", nargs="+", type=int, default=[1], help="people in one run [1]")
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=BUNDLE_PRECISIONS, help="[fp32]")
    parser.add_argument(
        "--device",
        nargs="+",
        choices=[name for name in PROVIDERS if name != "auto"],
        help="[cpu and all providers of ONNX Runtime except tensorrt, which builds engines for minutes]",
    )
    parser.add_argument("--runs", type=int, default=15, help="of each candidate [15]")


def measure(arguments: argparse.Namespace) -> Report:
    """Run the benchmark. Raises ConfigError without torch."""
    from smplerx_ros.errors import ConfigError
    from smplerx_ros.io.report import Report

    from .timing import peak_memory_mb

    try:
        import torch
    except ImportError as error:
        raise ConfigError(f"bench networks needs torch ({error}): pip install 'smplerx_ros[torch]'") from error
    rows: list[dict[str, Any]] = []
    for name in arguments.backbone:
        torch.manual_seed(0)
        rows += _measured(name, arguments)
    memory = peak_memory_mb()
    text = f"{_table(rows)}\n\nPeak memory of the benchmark, everything loaded: {memory:.0f} MB"
    return Report(NAME, {"rows": rows, "peak_memory_mb": memory}, text)


def _measured(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    from smplerx_ros.backbones.smpler_x.bundle import INT8
    from smplerx_ros.runtime.onnx import OnnxNetwork
    from smplerx_ros.runtime.providers import PROVIDERS

    devices = _devices() if arguments.device is None else arguments.device
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        eager, work = _eager(name)
        files = {precision: _exported(name, precision, Path(folder) / precision) for precision in arguments.precision}
        for batch in arguments.batch:
            about = {"backbone": name, "batch": batch, "gflop": work}
            if "cpu" in devices:
                for threads in arguments.threads:
                    networks = {f"onnx {key} cpu": OnnxNetwork(file, threads=threads) for key, file in files.items()}
                    candidates = {_BASELINE: eager, **_answers(networks)}
                    rows += _on_cpu(candidates, threads, about, arguments.runs)
            for device in (device for device in devices if device != "cpu"):
                networks = {
                    f"onnx {key} {device}": OnnxNetwork(file, device=device, half=key == "fp16")
                    for key, file in files.items()
                    if key != INT8
                }
                # Skip providers that failed to start (logged already): their networks would run on the CPU.
                started = {label: each for label, each in networks.items() if each.provider == PROVIDERS[device][0]}
                rows += _on_accelerator(_answers(started), about, arguments.runs)
    return rows


def _devices() -> list[str]:
    """The CPU, and accelerators with a provider in ONNX Runtime; TensorRT only on request."""
    import onnxruntime

    from smplerx_ros.runtime.providers import PROVIDERS

    available = onnxruntime.get_available_providers()
    return [name for name, wanted in PROVIDERS.items() if name not in ("auto", "tensorrt") and wanted[0] in available]


def _on_cpu(networks: dict[str, Network], threads: int, about: dict[str, Any], runs: int) -> list[dict[str, Any]]:
    """Rows of networks, measured alternating with the matrix products."""
    import torch

    from .timing import side_by_side

    torch.set_num_threads(threads)
    products = {f"{side} {library}": make(side) for side in _SIDES for library, make in _products(threads).items()}
    candidates = {**products, **_given_crops(networks, about["batch"])}
    times = side_by_side(candidates, runs=runs, cpu_time=threads == 1)
    peak = max(2e-6 * int(name.split()[0]) ** 3 / times[name].median for name in products)
    baseline = times[_BASELINE].median
    return [
        row(about, runtime, times[runtime])
        | {"threads": threads, "cpu_time": threads == 1, "gemm_peak": peak, "ratio": baseline / times[runtime].median}
        for runtime in networks
    ]


def _on_accelerator(networks: dict[str, Network], about: dict[str, Any], runs: int) -> list[dict[str, Any]]:
    from .timing import side_by_side

    times = side_by_side(_given_crops(networks, about["batch"]), runs=runs, cpu_time=False)
    return [row(about, runtime, figures) | {"cpu_time": False} for runtime, figures in times.items()]


def row(about: dict[str, Any], runtime: str, times: Times) -> dict[str, Any]:
    """A row of `table`; `about`: backbone, batch, gflop; `times`: of whole batches."""
    batch = about["batch"]
    figures = {key: getattr(times, key) / batch for key in ("median", "p95", "least")}
    speed = 1e3 * about["gflop"] / figures["median"]
    return {**about, "runtime": runtime, **figures, "runs": times.runs, "gflops": speed}


def _given_crops(networks: dict[str, Network], batch: int) -> dict[str, Callable[[], object]]:
    import numpy as np

    from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH

    crops = np.random.default_rng(0).uniform(0, 255, (batch, CROP_HEIGHT, CROP_WIDTH, 3)).astype(np.float32)
    return {name: partial(network, crops) for name, network in networks.items()}


def _eager(name: str) -> tuple[Network, float]:
    """The eager network as a function of crops, and its GFLOP per crop (multiplications and additions)."""
    import torch

    from smplerx_ros.backbones.registry import get_backbone
    from smplerx_ros.backbones.smpler_x.network import CropNetwork, build_network

    network = CropNetwork(build_network(get_backbone(name))).eval()

    def answer(crops: NDArray[np.float32]) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(crops))

    return answer, gflop(network)


def gflop(network: CropNetwork) -> float:
    """GFLOP of a network (on the CPU) per crop: multiplications and additions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, CROP_HEIGHT, CROP_WIDTH, 3))
    return float(counter.get_total_flops() / 1e9)


def _exported(name: str, precision: str, folder: Path) -> Path:
    import torch

    from smplerx_ros.backbones.registry import get_backbone
    from smplerx_ros.backbones.smpler_x.bundle import INT8
    from smplerx_ros.backbones.smpler_x.export import export
    from smplerx_ros.backbones.smpler_x.network import CropNetwork, build_network, reduce_precision

    folder.mkdir()
    network = build_network(get_backbone(name)).eval()
    if precision == "fp16":
        reduce_precision(network, precision)
    with torch.no_grad():
        outputs = list(CropNetwork(network)(torch.zeros(1, 256, 192, 3)))
    return export(network, outputs, "onnx", folder, int8=precision == INT8)[0]


def _answers(networks: dict[str, OnnxNetwork]) -> dict[str, Network]:
    def answer(network: OnnxNetwork, crops: NDArray[np.float32]) -> object:
        return network.run({"image": crops})

    return {label: partial(answer, network) for label, network in networks.items()}


def _products(threads: int) -> dict[str, Callable[[int], Callable[[], object]]]:
    """Functions that create a float32 product of square matrices, by library."""
    import numpy as np
    import torch

    from smplerx_ros.runtime.onnx import OnnxNetwork

    def in_torch(side: int) -> Callable[[], object]:
        matrix = torch.rand(side, side)
        return lambda: matrix @ matrix

    def in_onnx(side: int) -> Callable[[], object]:
        matrix = np.random.default_rng(0).random((side, side), dtype=np.float32)
        network = OnnxNetwork(_product(matrix), threads=threads)
        return lambda: network.run({"a": matrix})

    return {"torch": in_torch, "onnx": in_onnx}


def _product(matrix: NDArray[np.float32]) -> bytes:
    """A network that multiplies its input `a` by `matrix`."""
    from onnx import TensorProto, helper, numpy_helper

    shape = list(matrix.shape)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(matrix, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|---|" + "--:|" * (len(_COLUMNS) - 2)]
    for each in rows:
        cells = [each["backbone"], each["runtime"], str(each.get("threads", "-")), str(each["batch"])]
        cells += [f"{each[key]:.1f}" for key in ("median", "p95", "least")]
        cells.append(f"{each['gflops']:.0f}")
        if "gemm_peak" in each:
            cells += [f"{each['gemm_peak']:.0f}", f"{100 * each['gflops'] / each['gemm_peak']:.0f} %"]
        else:
            cells += ["-", "-"]
        cells.append(f"{each['ratio']:.2f}" if "ratio" in each else "-")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _table(rows: list[dict[str, Any]]) -> str:
    work = {each["backbone"]: each["gflop"] for each in rows}
    notes = [
        "",
        "GFLOP of a person, as the plain network computes: "
        + ", ".join(f"{name} {amount:.1f}" for name, amount in work.items())
        + ". GEMM peak: GFLOP/s of the fastest of torch's and ONNX Runtime's products of square matrices (sides "
        + ", ".join(map(str, _SIDES))
        + "), which took turns with the networks of the row; of all of them the median counts. CPU time with one "
        "thread, wall time otherwise. A network may come above its share of the peak: it multiplies less than the "
        "plain one.",
    ]
    return "\n".join(table(rows) + notes)
