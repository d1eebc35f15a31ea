"""Steps of gpu_check.py, each run in its own process: results of a device compared with the CPU, and timings.

A step appends each finding to a file at once, as a line of JSON, so that a crash loses only later findings.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.backbones.registry import get_backbone
from smplerx_ros.detection import sample
from smplerx_ros.detection.builtin import BuiltinDetector
from smplerx_ros.geometry.crops import crop_batch
from smplerx_ros.runtime.crops import Cropper
from smplerx_ros.runtime.onnx import OnnxNetwork
from smplerx_ros.runtime.providers import PROVIDERS
from smplerx_ros.tools.bench.timing import Times, side_by_side

Array = NDArray[Any]
Outputs = dict[str, Array]
Note = Callable[[dict[str, Any]], None]

# Tolerance of the 99th percentile of differences, relative to the largest value of an output. float32 sums in another
# order; half precision has 11 bits, bfloat16 8, and errors propagate through all layers (docs/reference/backbones.md).
# torch computes convolutions in TF32.
TOLERANCES = {"fp32": 1e-3, "torch fp32": 1e-2, "fp16": 5e-2, "bf16": 0.15}
_PERCENTILE = 99
# Crop regions (x, y, width, height) of people, and of other parts, in the first frame of the demo clip.
_REGIONS = (
    (318.0, -20.0, 276.0, 368.0),
    (887.0, 370.0, 252.0, 336.0),
    (500.0, 100.0, 300.0, 400.0),
    (40, 60, 480, 640),
)
_PADDED = (3, 11)  # people in batches that are padded to the next batch size
_MAX_TIMING_S = 2.0  # per batch
_PEAK_SIDES = (2048, 4096, 8192)
_CONCURRENT_S = 5.0
_NETWORKS = ("pose.onnx", "hand.onnx", "hand_recrop.onnx", "face.onnx", "blendshapes.onnx", "movenet_multipose.onnx")
_DYNAMIC_SIDE = 192  # for dynamic image sizes, a multiple of MoveNet's stride


def make(step: dict[str, Any], note: Note) -> None:
    """Export a backbone with random weights in one precision; for fp32, also store the CPU's results."""
    import torch

    from smplerx_ros.backbones.smpler_x.export import export
    from smplerx_ros.backbones.smpler_x.network import CropNetwork, build_network, reduce_precision
    from smplerx_ros.tools.bench.networks import gflop

    folder, precision = Path(step["folder"]), step["precision"]
    torch.manual_seed(0)
    network = build_network(get_backbone(step["backbone"])).eval()
    crops = CropNetwork(network)
    if precision == "fp32":
        note({"made": step["backbone"], "gflop": gflop(crops)})
    reduce_precision(network, precision)
    with torch.no_grad():
        names = list(crops(torch.zeros(1, 256, 192, 3)))
    (folder / precision).mkdir(parents=True)
    path = export(network, names, "onnx", folder / precision)[0]
    if precision == "fp32":
        _store_cpu_results(path, folder)


def _store_cpu_results(path: Path, folder: Path) -> None:
    network = OnnxNetwork(path)
    images, regions = people()
    for name, crops in (("opencv", crop_batch(images, regions)), ("network", _crop_by_network(images, regions))):
        np.savez(folder / f"{name}.npz", **network.run({"image": crops}))


def _crop_by_network(images: list[Array], regions: list[Array]) -> Array:
    import onnxruntime

    crops = Cropper("cpu").crops(images, regions)
    memory = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(crops.shape), np.float32, "cpu", 0)
    crops.write(memory)
    return np.array(memory.numpy())


def people() -> tuple[list[Array], list[Array]]:
    """Return an image and a region for each of four crops; the last one is from another image."""
    image = sample.sample_image()
    images = [image] * (len(_REGIONS) - 1) + [np.ascontiguousarray(image[:, ::-1])]
    return images, [np.array(region, np.float32) for region in _REGIONS]


def by_onnx(step: dict[str, Any], note: Note) -> None:
    """Run a network by ONNX Runtime in one `gpu_mode`: compare the results of all batch sizes, then measure times."""
    from smplerx_ros.backbones.smpler_x.loading import onnx_model

    precision, device, mode = step["precision"], step["device"], step["mode"]
    path = Path(step["folder"]) / precision / "model.onnx"
    model = onnx_model(get_backbone(step["backbone"]), path, device=device, precision=precision, gpu_mode=mode)
    _started(model.network.provider, device)
    images, regions = people()
    crops = crop_batch(images, regions)
    if mode in ("crops", "graphs") and model.cropper is None and device != "cpu":
        raise RuntimeError("images are not cropped on the device")
    expected = _expected(step, "opencv" if model.cropper is None else "network")

    def on_device(rows: Array) -> Any:
        chosen = [images[row] for row in rows], [regions[row] for row in rows]
        return crop_batch(*chosen) if model.cropper is None else model.cropper.crops(*chosen)

    def run(rows: Array) -> Outputs:
        return model.network.run({"image": on_device(rows)})

    path_name = f"onnx {precision} {device} {mode}"
    for batch in step["batches"]:
        _compare(note, step, path_name, batch, run, expected, TOLERANCES[precision])
    for batch in _PADDED:
        _compare_padded(note, step, path_name, batch, model, (images, regions), expected)
    if mode == "graphs":
        thread_run = partial(_in_thread, run)
        _compare(note, step, f"{path_name}, another thread", 1, thread_run, expected, TOLERANCES[precision])
    for batch in step["batches"]:
        given = np.resize(crops, (batch, *crops.shape[1:]))
        candidates = {
            path_name: partial(model.network.run, {"image": given}),
            f"{path_name}, from images": partial(run, np.arange(batch) % len(regions)),
        }
        _time(note, step, batch, candidates)


def by_torch(step: dict[str, Any], note: Note) -> None:
    """Run a network by torch: compare the results of all batch sizes, then measure times."""
    import torch

    from smplerx_ros.backbones.smpler_x.network import build_network
    from smplerx_ros.backbones.smpler_x.torch_runtime import TorchNetwork

    precision, device = step["precision"], step["device"]
    torch.manual_seed(0)
    network = TorchNetwork(build_network(get_backbone(step["backbone"])).eval(), device=device, precision=precision)
    crops = crop_batch(*people())
    expected = _expected(step, "opencv")
    tolerance = TOLERANCES.get(f"torch {precision}", TOLERANCES[precision])
    name = f"torch {precision} {device}"
    for batch in step["batches"]:
        _compare(note, step, name, batch, lambda rows: network.run({"image": crops[rows]}), expected, tolerance)
    for batch in step["batches"]:
        given = np.resize(crops, (batch, *crops.shape[1:]))
        _time(note, step, batch, {name: partial(network.run, {"image": given})})


def peak(step: dict[str, Any], note: Note) -> None:
    """Measure the throughput of torch's square matrix products, GFLOP/s by precision; TF32 is off."""
    import torch

    device = step["device"]
    for precision, dtype in (("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        best = 0.0
        for side in (256,) if device == "cpu" else _PEAK_SIDES:
            matrix = torch.rand(side, side, device=device, dtype=dtype)

            def product(matrix: Any = matrix) -> None:
                matrix @ matrix
                if device != "cpu":
                    torch.cuda.synchronize()

            times = side_by_side({"": product}, runs=10, cpu_time=False)[""]
            best = max(best, 2e-6 * side**3 / times.median)
        note({"peak": precision, "gflops": best})


def embedded(step: dict[str, Any], note: Note) -> None:
    """Compare the embedded networks and the embedded detector."""
    device = step["device"]
    for name in _NETWORKS:
        here, there = OnnxNetwork.from_asset(name), OnnxNetwork.from_asset(name, device=device)
        _started(there.provider, device)
        feed = {each.name: _random(each.shape, each.type) for each in here.inputs}
        difference = _difference(there.run(feed), here.run(feed))
        _note_difference(note, name, device, 1, difference, TOLERANCES["fp32"])
    image = sample.sample_image()
    here, there = (BuiltinDetector(where).detect([image])[0] for where in ("cpu", device))
    boxes = [np.array([box.xyxy for box in each]).reshape(-1, 4) for each in (there, here)]
    same = len(boxes[0]) == len(boxes[1])
    difference = (float(np.abs(boxes[0] - boxes[1]).max(initial=0)) / max(image.shape),) * 2 if same else (1.0, 1.0)
    _note_difference(note, "builtin detector", device, 1, difference, TOLERANCES["fp32"])


def beside(step: dict[str, Any], note: Note) -> None:
    """Replay the CUDA graph of a network while the detector runs in another thread."""
    from smplerx_ros.backbones.smpler_x.loading import onnx_model

    device = step["device"]
    path = Path(step["folder"]) / "fp32" / "model.onnx"
    model = onnx_model(get_backbone(step["backbone"]), path, device=device, precision="fp32", gpu_mode="graphs")
    _started(model.network.provider, device)
    crops, expected = crop_batch(*people()), _expected(step, "opencv")
    detector, image = BuiltinDetector(device), sample.sample_image()
    first = detector.detect([image])
    other, failed = {"runs": 0, "wrong": 0}, []
    end = time.monotonic() + min(_CONCURRENT_S, step["longest_s"])

    def detect() -> None:
        try:
            while time.monotonic() < end:
                other["wrong"] += detector.detect([image]) != first
                other["runs"] += 1
        except Exception as error:  # any error of the device is a finding
            failed.append(error)

    thread = threading.Thread(target=detect)
    thread.start()
    worst, runs = (0.0, 0.0), 0
    while time.monotonic() < end:
        rows = np.arange(step["batches"][runs % len(step["batches"])]) % len(crops)
        outputs = model.network.run({"image": crops[rows]})
        worst = max(worst, _difference(outputs, {name: value[rows] for name, value in expected.items()}))
        runs += 1
    thread.join()
    if failed:
        raise failed[0]
    name = f"{step['backbone']} graphs concurrent with the detector, {runs} and {other['runs']} runs"
    _note_difference(note, name, device, max(step["batches"]), worst, TOLERANCES["fp32"])
    if other["wrong"]:
        raise RuntimeError(f"{other['wrong']} of {other['runs']} concurrent detections differ from the first")


def _started(provider: str, device: str) -> None:
    wanted = PROVIDERS[device][0]
    if provider != wanted:
        raise RuntimeError(f"{wanted} did not start: {provider} runs instead")


def _expected(step: dict[str, Any], crops: str) -> Outputs:
    with np.load(Path(step["folder"]) / f"{crops}.npz") as stored:
        return dict(stored)


def _compare(
    note: Note,
    step: dict[str, Any],
    path: str,
    batch: int,
    run: Callable[[Array], Outputs],
    expected: Outputs,
    tolerance: float,
) -> None:
    """Compare alternating batches, so that the result of a previous batch is not mistaken for the right one."""
    worst = (0.0, 0.0)
    for shift in (0, 1, 0, 2):
        rows = (np.arange(batch) + shift) % len(_REGIONS)
        worst = max(worst, _difference(run(rows), {name: value[rows] for name, value in expected.items()}))
    between = _difference({n: value[1:] for n, value in expected.items()}, {n: v[:-1] for n, v in expected.items()})
    _note_difference(note, step["backbone"], path, batch, worst, tolerance, people_differ=between[0])


def _compare_padded(
    note: Note,
    step: dict[str, Any],
    path: str,
    batch: int,
    model: Any,
    given: tuple[list[Array], list[Array]],
    expected: Outputs,
) -> None:
    from smplerx_ros.backbones.smpler_x.prediction import Prediction

    rows = np.arange(batch) % len(_REGIONS)
    predicted = model.predict_regions([given[0][row] for row in rows], [given[1][row] for row in rows])
    right = Prediction.from_outputs({name: value[rows] for name, value in expected.items()})
    names = ("betas", "expression", "cam_transl")
    difference = _difference(*({name: getattr(each, name) for name in names} for each in (predicted, right)))
    _note_difference(note, step["backbone"], f"{path}, padded", batch, difference, TOLERANCES[step["precision"]])


def _difference(outputs: Outputs, expected: Outputs) -> tuple[float, float]:
    """Return the 99th percentile and the maximum of the differences, relative to the largest value of each output.

    Both are infinite where a shape differs or a value is not finite.
    """
    relative = []
    for name, right in expected.items():
        scale = float(np.abs(right).max(initial=0)) or 1.0
        if outputs[name].shape != right.shape or not np.isfinite(outputs[name]).all():
            return np.inf, np.inf
        relative.append((np.abs(outputs[name].astype(np.float64) - right) / scale).ravel())
    joined = np.concatenate(relative)
    return float(np.percentile(joined, _PERCENTILE)), float(joined.max())


def _note_difference(
    note: Note,
    name: str,
    path: str,
    batch: int,
    difference: tuple[float, float],
    tolerance: float,
    **more: float,
) -> None:
    # The result of another person must not pass.
    same = difference[0] <= min(tolerance, more.get("people_differ", np.inf) / 2)
    most, any_value = difference if np.isfinite(difference).all() else (None, None)
    found = {"name": name, "path": path, "batch": batch, "most": most, "any": any_value, "tolerance": tolerance}
    note({"check": {**found, **more, "same": same}})


def _time(note: Note, step: dict[str, Any], batch: int, candidates: dict[str, Callable[[], Any]]) -> None:
    from smplerx_ros.tools.bench.networks import row

    about = {"backbone": step["backbone"], "batch": batch, "gflop": step["gflop"]}
    for name, run in candidates.items():
        start = time.perf_counter()
        run()
        once = time.perf_counter() - start
        runs = int(np.clip(_MAX_TIMING_S / max(once, 1e-6), 3, step["runs"]))
        times: Times = side_by_side({name: run}, runs=runs, cpu_time=False)[name]
        note({"row": row(about, name, times)})


def _in_thread(run: Callable[[Array], Outputs], rows: Array) -> Outputs:
    found: list[Outputs] = []
    failed: list[Exception] = []

    def target() -> None:
        try:
            found.append(run(rows))
        except Exception as error:  # raised in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def _random(shape: tuple[int | str | None, ...], kind: str) -> Array:
    sizes = [size if isinstance(size, int) else 2 if axis == 0 else _DYNAMIC_SIDE for axis, size in enumerate(shape)]
    values = np.random.default_rng(0).random(sizes)
    return (255 * values).astype(np.int32) if "int32" in kind else values.astype(np.float32)


STEPS: dict[str, Callable[[dict[str, Any], Note], None]] = {
    "make": make,
    "onnx": by_onnx,
    "torch": by_torch,
    "peak": peak,
    "embedded": embedded,
    "beside": beside,
}


def main() -> None:
    """Run the step described by the JSON file on the command line."""
    step = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with Path(step["findings"]).open("a", encoding="utf-8") as file:

        def note(finding: dict[str, Any]) -> None:
            file.write(json.dumps(finding) + "\n")
            file.flush()

        STEPS[step["kind"]](step, note)


if __name__ == "__main__":
    main()
