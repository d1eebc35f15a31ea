#!/usr/bin/env python3
"""Compare every inference path on an NVIDIA GPU with the CPU, and measure its speed, in one report within minutes.

    python benchmarks/gpu_check.py [--out benchmarks/results] [--budget-s 480]

Networks have random weights and are created here. Each path runs in its own process with a time limit, the most
important ones first: the small network in every precision and `gpu_mode`, the others in the most useful ones, TensorRT,
the rest. The report is rewritten after each step; it also lists what is missing on the machine, what crashed, and what
did not fit into the time. The machine should be otherwise idle. Requires torch, onnx and onnxscript.

Exit code: 0 all results agree with the CPU's, 1 some do not or did not run, 2 no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime

from smplerx_ros.backbones.smpler_x.model import GPU_MODES
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.runtime.providers import PROVIDERS
from smplerx_ros.tools.bench.networks import table

NAME = "gpu"
EXIT_DIFFERENT, EXIT_NO_GPU = 1, 2
BUDGET_S = 480.0
_STEPS = Path(__file__).resolve().with_name("gpu_steps.py")
_EXPORT_BYTES = 6e9  # of memory to export the largest network
_MIN_STEP_S = 5.0  # remaining time with which a step is still started
_REPORT_S = 2.0  # reserved for the report
_KILL_S = 2.0  # to wait for a killed process
_LIMITS_S = {"make": 150.0, "onnx": 60.0, "torch": 60.0, "peak": 30.0, "embedded": 60.0, "beside": 60.0}
_ENGINE_S = 120.0  # TensorRT builds an engine per batch size
_ENGINE_BATCHES = (1, 4)
_ORDER = ("s32", "b32", "h32", "l32")
_MODES = (("fp32", "plain"), ("fp16", "plain"), ("fp16", "graphs"), ("fp32", "graphs"))
_TORCH = ("bf16", "fp16", "fp32")


@dataclass(frozen=True)
class Step:
    """A step that runs in its own process."""

    kind: str  # key of gpu_steps.STEPS
    label: str
    options: dict[str, Any]
    limit_s: float


@dataclass(frozen=True)
class Outcome:
    """Result of a step."""

    lines: list[str]  # of JSON
    failure: str  # empty if the step succeeded


@dataclass
class Findings:
    """Accumulated results of all steps."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    peaks: dict[str, float] = field(default_factory=dict)
    work: dict[str, float] = field(default_factory=dict)  # GFLOP per person, by backbone
    notes: list[str] = field(default_factory=list)
    failed: int = 0

    def add(self, outcome: Outcome) -> None:
        """Add the results of a step; a line truncated by its termination is ignored."""
        if outcome.failure:
            self.failed += 1
            self.notes.append(outcome.failure)
        for line in outcome.lines:
            try:
                found = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "row" in found:
                self.rows.append(found["row"])
            elif "check" in found:
                self.checks.append(found["check"])
            elif "peak" in found:
                self.peaks[found["peak"]] = found["gflops"]
            else:
                self.work[found["made"]] = found["gflop"]

    @property
    def exit_code(self) -> int:
        """Exit code of the run."""
        return EXIT_DIFFERENT if self.failed or not self.checks or not all(c["same"] for c in self.checks) else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the steps, write the report, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results"), help="folder of the report [%(default)s]"
    )
    parser.add_argument("--budget-s", type=float, default=BUDGET_S, help="total time, seconds [%(default)s]")
    parser.add_argument("--backbone", nargs="+", default=list(_ORDER), choices=[*_ORDER, "tiny"], help="[all]")
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 2, 4, 8, 16], help="batch sizes [1 2 4 8 16]")
    parser.add_argument("--runs", type=int, default=20, help="maximum number of runs per timing [%(default)s]")
    parser.add_argument(
        "--device", default="cuda", choices=("cuda", "cpu"), help="cpu: try the steps without a GPU [cuda]"
    )
    given = parser.parse_args(arguments)
    gpu = find_gpu() if given.device == "cuda" else "none: the steps were tried on the CPU"
    if gpu is None:
        print("no NVIDIA GPU found (nvidia-smi lists none); --device cpu tries the steps without one", file=sys.stderr)
        return EXIT_NO_GPU
    findings = Findings()
    with tempfile.TemporaryDirectory(prefix="gpu_check_") as folder:
        run(given, gpu, findings, Path(folder))
    print((given.out / f"{NAME}.md").read_text(encoding="utf-8"))
    return findings.exit_code


def find_gpu() -> str | None:
    """Return name, memory and driver of the first NVIDIA GPU; None if there is none."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        model = Path("/proc/device-tree/model")  # of a Jetson, whose older drivers have no nvidia-smi
        text = model.read_text(errors="replace").strip("\0\n") if model.is_file() else ""
        return text if "nvidia" in text.lower() else None
    return answer.strip().partition("\n")[0] or None


def run(given: argparse.Namespace, gpu: str, findings: Findings, folder: Path) -> None:
    """Run all steps for which there is time. Networks are created in parallel, as cores and memory permit."""
    end = time.monotonic() + given.budget_s - _REPORT_S
    missing = _missing(given.device)
    findings.notes += missing.values()
    steps = list(enumerate(plan(given, missing, folder)))
    make = [each for each in steps if each[1].kind == "make"]
    with ThreadPoolExecutor(_parallel_exports()) as pool:
        for outcome in pool.map(lambda each: run_step(*each, folder, end - time.monotonic()), make):
            findings.add(outcome)
    late: list[str] = []
    for number, step in steps[len(make) :]:
        backbone = step.options.get("backbone")
        if backbone and backbone not in findings.work:
            continue  # the step that creates it has reported why
        left = end - time.monotonic()
        if left < _MIN_STEP_S:
            late.append(step.label)
            continue
        findings.add(run_step(number, step, folder, left, findings.work.get(backbone or "", 0.0)))
        _report(given, gpu, findings, "Not finished.")
    if late:
        findings.failed += 1
        findings.notes.append(f"not reached in {given.budget_s:.0f} s: {', '.join(late)}")
    _report(given, gpu, findings)


def _parallel_exports() -> int:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min((os.cpu_count() or 1) // 2, int(free / _EXPORT_BYTES)))


def plan(given: argparse.Namespace, missing: dict[str, str], folder: Path) -> list[Step]:
    """Return the steps in order of importance, without those whose runtime is `missing`."""
    first, *others = [name for name in (*_ORDER, "tiny") if name in given.backbone]
    about = {"device": given.device, "runs": given.runs}

    def network(kind: str, name: str, label: str, **options: Any) -> Step:
        common = {**about, "backbone": name, "folder": str(folder / name), "batches": given.batch}
        return Step(kind, f"{name} {label}", {**common, **options}, options.get("limit_s", _LIMITS_S[kind]))

    def onnx(name: str, precision: str, mode: str) -> Step:
        return network("onnx", name, f"onnx {precision} {mode}", precision=precision, mode=mode)

    def torch(name: str, precision: str) -> Step:
        return network("torch", name, f"torch {precision}", precision=precision)

    # On a CPU, half precision only exercises the code, and torch is slow at it.
    torch_precisions = [each for each in _TORCH if given.device != "cpu" or each != "fp16"]
    steps = [
        network("make", name, f"making {precision}", precision=precision)
        for name in (first, *others)
        for precision in ("fp32", "fp16")
    ]
    steps += [onnx(first, precision, mode) for mode in GPU_MODES for precision in ("fp32", "fp16")]
    steps += [torch(first, precision) for precision in torch_precisions]
    steps += [Step("embedded", "embedded networks", about, _LIMITS_S["embedded"])]
    steps += [network("beside", first, "concurrent with the detector", longest_s=5.0)]
    steps += [Step("peak", "matrix products", about, _LIMITS_S["peak"])]
    for name in others:
        steps += [*(onnx(name, *which) for which in _MODES), torch(name, "bf16")]
    engine = {"device": "tensorrt", "mode": "plain", "batches": list(_ENGINE_BATCHES), "limit_s": _ENGINE_S}
    steps += [network("onnx", first, f"tensorrt {each}", precision=each, **engine) for each in ("fp16", "fp32")]
    for name in others:
        rest = [(precision, mode) for mode in ("bound", "crops") for precision in ("fp32", "fp16")]
        steps += [*(onnx(name, *which) for which in rest), *(torch(name, each) for each in torch_precisions[1:])]
    return [step for step in steps if not _needs(step) & set(missing)]


def _needs(step: Step) -> set[str]:
    if step.kind in ("torch", "peak"):
        return {"torch", "torch on the device"}
    if step.kind == "make":
        return {"torch"}
    return {str(step.options["device"])} | ({"torch"} if "backbone" in step.options else set())


def _missing(device: str) -> dict[str, str]:
    """Return what this machine lacks, with a line for the report for each."""
    lines = {}
    available = onnxruntime.get_available_providers()
    for name, what in ((device, "onnxruntime-gpu"), ("tensorrt", "TensorRT")):
        if PROVIDERS[name][0] not in available:
            lines[name] = f"missing: {what}: this ONNX Runtime has {', '.join(available)} (docs/howto/gpu.md)"
    try:
        import onnxscript  # noqa: F401
        import timm  # noqa: F401
        import torch
    except ImportError as error:
        lines["torch"] = f"missing: {error}: no network can be made (pip install 'smplerx_ros[torch]')"
    else:
        if device == "cuda" and not torch.cuda.is_available():
            lines["torch on the device"] = f"missing: torch {torch.__version__} cannot use CUDA on this machine"
    return lines


def run_step(number: int, step: Step, folder: Path, left: float, gflop: float = 0.0) -> Outcome:
    """Run a step in its own process; it is killed with its children when its time is over."""
    if left < _MIN_STEP_S:
        return Outcome([], f"{step.label}: not reached")
    limit = min(step.limit_s, left)
    options, found, output = (folder / f"step{number}.{ending}" for ending in ("json", "jsonl", "log"))
    options.write_text(json.dumps({**step.options, "kind": step.kind, "gflop": gflop, "findings": str(found)}))
    found.write_text("")
    start = time.monotonic()
    with output.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(_STEPS), str(options)], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code: int | None = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code = None
            _kill(process)
    took = time.monotonic() - start
    print(f"{step.label}: {took:.0f} s" + ("" if code == 0 else ", failed"), file=sys.stderr, flush=True)
    reason = "" if code == 0 else f"{step.label}: {_reason(code, limit, output.read_text(errors='replace'))}"
    return Outcome(found.read_text(encoding="utf-8").splitlines(), reason)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its children; it may not terminate at once while it waits for a GPU."""
    os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(timeout=_KILL_S)
    except subprocess.TimeoutExpired:
        print(f"process {process.pid} does not terminate", file=sys.stderr)


def _reason(code: int | None, limit: float, output: str) -> str:
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")[:300]
    if code is None:
        return f"killed after {limit:.0f} s ({last})"
    if code < 0:
        return f"crashed with {signal.Signals(-code).name} ({last})"
    return f"failed: {last}"


def _report(given: argparse.Namespace, gpu: str, findings: Findings, state: str = "") -> None:
    rows = _completed(findings)
    different = [check for check in findings.checks if not check["same"]]
    summary = (
        f"{len(findings.checks) - len(different)} of {len(findings.checks)} results agree with the CPU's. {state}"
    ).strip()
    text = "\n".join(
        [f"GPU: {gpu}", "", f"**{summary}**", "", *(f"* {note}" for note in findings.notes), "", "## Results", ""]
        + [*_checks_table(findings.checks), "", "## Speed", "", *table(rows), "", _SPEED_NOTES]
    )
    results = {"gpu": gpu, "notes": findings.notes, "checks": findings.checks, "rows": rows, "peaks": findings.peaks}
    write_report(given.out, NAME, results, text, command_line(), {"gpu": gpu, **machine()})


_SPEED_NOTES = (
    "GEMM peak: the fastest of torch's square matrix products in that precision, TF32 off. eager / this: speed-up over "
    "torch fp32 on the device. `from images` includes cropping: on the CPU with plain and bound, on the device with "
    "crops and graphs. Each path ran alone; random weights, wall time."
)


def _completed(findings: Findings) -> list[dict[str, Any]]:
    """Complete the rows by results of other steps: the GEMM peak of their precision, and torch's time."""
    eager = {(r["backbone"], r["batch"]): r["median"] for r in findings.rows if r["runtime"].startswith("torch fp32")}
    rows = []
    for found in findings.rows:
        precision = found["runtime"].split()[1]
        more = {"gemm_peak": findings.peaks[precision]} if precision in findings.peaks else {}
        base = eager.get((found["backbone"], found["batch"]))
        rows.append(found | more | ({"ratio": base / found["median"]} if base else {}))
    return rows


def _checks_table(checks: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| | path | batch | 99th percentile | maximum | allowed | between people | |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for check in checks:
        found = [f"{check[key]:.2g}" if check.get(key) is not None else "-" for key in ("most", "any")]
        verdict = "same" if check["same"] else "**not finite**" if check["most"] is None else "**differs**"
        between = check.get("people_differ")
        more = [f"{check['tolerance']:.2g}", "-" if between is None else f"{between:.2g}", verdict]
        lines.append(f"| {' | '.join([check['name'], check['path'], str(check['batch']), *found, *more])} |")
    notes = (
        "Differences from the CPU in fp32, relative to the largest value of each output. A difference above half of "
        "that between people fails as well: the result may be that of another person."
    )
    return [*lines, "", notes]


if __name__ == "__main__":
    sys.exit(main())
