"""Speed of the networks: ONNX Runtime beside plain eager PyTorch, and beside what the processor can multiply.

Weights are random: speed does not depend on them. Products and baselines take turns in one process. One thread is
measured in CPU time, more in wall time: leave the machine alone meanwhile. Needs torch.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "networks"
_COLUMNS = ("backbone", "runtime", "threads", "batch", "ms a person: median", "p95", "least", "GFLOP/s", "of GEMM peak")
_BASELINE = "torch eager"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this benchmark."""
    from ..models.registry import BACKBONES

    choices = [name for name, entry in BACKBONES.items() if entry.needs_weights]
    parser.add_argument("--backbone", nargs="+", default=["s32", "b32"], choices=choices, help="[s32 b32]")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="[1 2]")
    parser.add_argument("--batch", nargs="+", type=int, default=[1], help="people in one run [1]")
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=["fp32", "fp16"], help="[fp32]")
    parser.add_argument("--device", default="cpu", help="of ONNX Runtime: cpu, cuda, tensorrt, openvino [cpu]")
    parser.add_argument("--runs", type=int, default=15, help="of each candidate [15]")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write the results; without it only printed")


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code; raises ConfigError without torch."""
    from ..errors import ConfigError
    from ..evaluation.report import command_line, machine, write_report
    from ..measurement import peak_memory_mb

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
    print(text)
    if arguments.out is not None:
        write_report(arguments.out, NAME, {"rows": rows, "peak_memory_mb": memory}, text, command_line(), machine())
    return 0


def _measured(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    import numpy as np

    from ..geometry.crops import CROP_HEIGHT, CROP_WIDTH
    from ..measurement import side_by_side

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        eager, work = _eager(name)
        files = {precision: _exported(name, precision, Path(folder) / precision) for precision in arguments.precision}
        for threads in arguments.threads:
            one = threads == 1
            peak = _peak(threads)
            networks = {
                _label(p, arguments.device): _onnx(file, arguments.device, threads) for p, file in files.items()
            }
            for batch in arguments.batch:
                image = np.random.default_rng(0).uniform(0, 255, (batch, CROP_HEIGHT, CROP_WIDTH, 3))
                crops = image.astype(np.float32)
                candidates = {_BASELINE: _bound(eager, crops)}
                candidates |= {label: _bound(network, crops) for label, network in networks.items()}
                times = side_by_side(candidates, runs=arguments.runs, cpu_time=one)
                for runtime, figures in times.items():
                    speed = work * batch / figures.median
                    rows.append(
                        {
                            **{"backbone": name, "runtime": runtime, "threads": threads, "batch": batch},
                            **{key: getattr(figures, key) / batch for key in ("median", "p95", "least")},
                            **{"runs": figures.runs, "gflop": work / 1e3, "gflops": speed, "gemm_peak": peak},
                            **{"ratio": times[_BASELINE].median / figures.median, "cpu_time": one},
                        }
                    )
    return rows


def _bound(function: Callable[[NDArray[np.float32]], object], crops: NDArray[np.float32]) -> Callable[[], object]:
    return lambda: function(crops)


def _label(precision: str, device: str) -> str:
    return f"onnx {precision} {device}"


def _eager(name: str) -> tuple[Callable[[NDArray[np.float32]], object], float]:
    """The plain network as a function of crops, and its work for one in MFLOP (multiplications and additions)."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ..geometry.crops import CROP_HEIGHT, CROP_WIDTH
    from ..models.network import CropNetwork, build_network
    from ..models.registry import get_backbone

    network = CropNetwork(build_network(get_backbone(name))).eval()

    def answer(crops: NDArray[np.float32]) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(crops))

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, CROP_HEIGHT, CROP_WIDTH, 3))
    return answer, counter.get_total_flops() / 1e6


def _exported(name: str, precision: str, folder: Path) -> Path:
    import torch

    from ..models.export import export
    from ..models.network import CropNetwork, build_network, reduce_precision
    from ..models.registry import get_backbone

    folder.mkdir()
    network = build_network(get_backbone(name)).eval()
    if precision != "fp32":
        reduce_precision(network, precision)
    with torch.no_grad():
        outputs = list(CropNetwork(network)(torch.zeros(1, 256, 192, 3)))
    return export(network, outputs, "onnx", folder)[0]


def _onnx(file: Path, device: str, threads: int) -> Callable[[NDArray[np.float32]], object]:
    from ..runtime.onnx import OnnxNetwork

    network = OnnxNetwork(file, device=device, threads=threads)
    return lambda crops: network.run({"image": crops})


def _peak(threads: int) -> float:
    """GFLOP/s of the better of two libraries' matrix products; sets torch's threads, the baseline's too."""
    import numpy as np
    import torch

    from ..measurement import gemm_peak
    from ..runtime.onnx import OnnxNetwork

    torch.set_num_threads(threads)

    def in_torch(side: int) -> Callable[[], object]:
        matrix = torch.rand(side, side)
        return lambda: matrix @ matrix

    def in_onnx(side: int) -> Callable[[], object]:
        matrix = np.random.default_rng(0).random((side, side), dtype=np.float32)
        network = OnnxNetwork(_product(matrix), threads=threads)
        return lambda: network.run({"a": matrix})

    return max(gemm_peak(multiply, cpu_time=threads == 1) for multiply in (in_torch, in_onnx))


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


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [f"| {' | '.join((*_COLUMNS, 'eager / this'))} |", "|---|---|" + "--:|" * (len(_COLUMNS) - 1)]
    for row in rows:
        cells = [row["backbone"], row["runtime"], str(row["threads"]), str(row["batch"])]
        cells += [f"{row[key]:.1f}" for key in ("median", "p95", "least")]
        cells += [f"{row['gflops']:.0f}", f"{100 * row['gflops'] / row['gemm_peak']:.0f} %", f"{row['ratio']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    peaks = {row["threads"]: row["gemm_peak"] for row in rows}
    work = {row["backbone"]: row["gflop"] for row in rows}
    lines += [
        "",
        "GFLOP of a person, as the plain network computes: "
        + ", ".join(f"{name} {gflop:.1f}" for name, gflop in work.items())
        + ". Largest matrix product measured: "
        + ", ".join(f"{peak:.0f} GFLOP/s with {threads} thread(s)" for threads, peak in peaks.items())
        + ". More than its share of the peak means fewer multiplications than the plain network's.",
    ]
    return "\n".join(lines)
