"""The check of GPU paths, without one: its plan, what it does about steps that crash or hang, and what it finds.

Steps are played by a script; the real ones run over a small graph, on the CPU and on a CUDA that the CPU plays.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from smplerx_ros.backbones.smpler_x import model
from smplerx_ros.geometry.crops import crop_batch
from smplerx_ros.runtime.onnx import OnnxNetwork
from support.paths import ROOT

BENCHMARKS = ROOT / "benchmarks"


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def check() -> ModuleType:
    return _loaded("gpu_check")


@pytest.fixture(scope="module")
def steps() -> ModuleType:
    return _loaded("gpu_steps")


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def test_without_a_gpu_it_says_so_and_exits_2(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check.main(["--out", str(tmp_path / "out")]) == 2
    assert "no NVIDIA GPU found" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    _program(tmp_path, "nvidia-smi", "#!/bin/sh\necho failed because it could not talk to the driver; exit 9\n")
    assert check.main(["--out", str(tmp_path / "out")]) == 2


def test_the_gpu_is_named_as_nvidia_smi_does(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    _program(tmp_path, "nvidia-smi", "#!/bin/sh\necho 'NVIDIA L4, 23034 MiB, 550.54'\necho another\n")
    assert check.find_gpu() == "NVIDIA L4, 23034 MiB, 550.54"


def _given(check: ModuleType, *more: str) -> Any:
    """What `main` hands to `run`."""
    seen: list[Any] = []
    kept = check.run
    check.run = lambda given, *_: (seen.append(given), given.out.mkdir(exist_ok=True), _touch(given.out / "gpu.md"))
    try:
        check.main(["--device", "cpu", *more])
    finally:
        check.run = kept
    return seen[0]


def _touch(path: Path) -> None:
    path.write_text("")


def test_every_path_is_in_the_plan_the_small_network_first(check: ModuleType, tmp_path: Path) -> None:
    given = _given(check, "--out", str(tmp_path))
    given.device = "cuda"
    plan = check.plan(given, {}, tmp_path)
    labels = [step.label for step in plan]
    for name in ("s32", "b32", "l32", "h32"):
        for precision in ("fp32", "fp16"):
            assert f"{name} making {precision}" in labels
            for mode in model.GPU_MODES:
                assert f"{name} onnx {precision} {mode}" in labels
        for precision in ("fp32", "fp16", "bf16"):
            assert f"{name} torch {precision}" in labels
    assert len(set(labels)) == len(labels)
    assert {"s32 tensorrt fp16", "s32 tensorrt fp32", "embedded networks", "s32 concurrent with the detector"} <= set(
        labels
    )
    networks = [step for step in plan if step.kind == "onnx"]
    assert all(step.options["backbone"] == "s32" for step in networks[: 2 * len(model.GPU_MODES)])
    assert all(step.options["batches"] == [1, 2, 4, 8, 16] for step in networks if "tensorrt" not in step.label)
    assert all(step.limit_s < given.budget_s for step in plan)


def test_what_is_missing_is_a_line_and_its_steps_are_left_out(check: ModuleType, tmp_path: Path) -> None:
    given = _given(check, "--out", str(tmp_path))
    given.device = "cuda"
    missing = check._missing("cuda")  # this machine has neither
    assert "onnxruntime-gpu" in missing["cuda"]
    assert "TensorRT" in missing["tensorrt"]
    kinds = {step.kind for step in check.plan(given, missing, tmp_path)}
    assert "onnx" not in kinds
    assert {step.kind for step in check.plan(given, {"torch": "missing"}, tmp_path)} == {"embedded"}
    left = check.plan(given, {"tensorrt": "missing", "torch on the device": "missing"}, tmp_path)
    assert {step.kind for step in left} == {"make", "onnx", "embedded", "beside"}
    assert not any("tensorrt" in step.label for step in left)


# Plays gpu_steps.py: notes a finding, then does what the step's kind says.
PLAYED = """
import json, os, signal, subprocess, sys, time
step = json.loads(open(sys.argv[1]).read())
with open(step["findings"], "a") as file:
    file.write(json.dumps(step.get("finds", {"made": step.get("backbone", "s32"), "gflop": 1.0})) + "\\n")
    file.flush()
    if step["kind"] == "crash":
        file.write('{"made": "cut o')
        file.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
    if step["kind"] == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open(step["pids"], "w").write(f"{os.getpid()} {child.pid}")
        time.sleep(60)
    if step["kind"] == "raise":
        raise RuntimeError("CUDA failure 2: out of memory")
"""


@pytest.fixture
def played(check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    script = tmp_path / "played.py"
    script.write_text(PLAYED)
    monkeypatch.setattr(check, "_STEPS", script)
    return lambda kind, limit=30.0, **options: check.run_step(
        0, check.Step(kind, f"the {kind}", options, limit), tmp_path, 60.0
    )


def test_a_step_that_crashes_or_fails_is_a_line_and_keeps_what_it_found(
    check: ModuleType, played: Callable[..., Any]
) -> None:
    findings = check.Findings()
    for kind in ("end", "crash", "raise"):
        findings.add(played(kind, backbone=kind))
    assert findings.work == {"end": 1.0, "crash": 1.0, "raise": 1.0}
    assert findings.failed == 2
    crash, raised = findings.notes
    assert crash.startswith("the crash: crashed with SIGSEGV")
    assert raised == "the raise: failed: RuntimeError: CUDA failure 2: out of memory"


def _runs(pid: int) -> bool:
    """A zombie has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_step_that_hangs_is_ended_with_its_children(played: Callable[..., Any], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    outcome = played("hang", limit=10.0, pids=str(pids))
    assert outcome.failure.startswith("the hang: killed after 10 s")
    assert len(outcome.lines) == 1
    parent, child = map(int, pids.read_text().split())
    deadline = time.monotonic() + 10
    while (_runs(parent) or _runs(child)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(parent)
    assert not _runs(child)


def _check_found(same: bool) -> dict[str, Any]:
    found = {"name": "s32", "path": "onnx fp32 cuda plain", "batch": 1, "most": 1e-6 if same else None}
    return {"check": {**found, "any": 1e-5 if same else None, "tolerance": 1e-3, "same": same}}


def _run(check: ModuleType, tmp_path: Path, plan: list[Any], budget: float) -> tuple[Any, str]:
    given = _given(check, "--out", str(tmp_path / "out"), "--budget-s", str(budget))
    findings = check.Findings()
    kept, check.plan = (check.plan, check._missing), lambda *_: plan
    check._missing = lambda _: {}
    try:
        check.run(given, "NVIDIA L4", findings, tmp_path)
    finally:
        check.plan, check._missing = kept
    kept_numbers = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert len(kept_numbers["checks"]) == len(findings.checks)
    return findings, (tmp_path / "out" / "gpu.md").read_text()


@pytest.mark.parametrize(("same", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_and_the_report_tell_differences(
    check: ModuleType, played: Callable[..., Any], tmp_path: Path, same: bool, code: int
) -> None:
    plan = [check.Step("embedded", "a path", {"finds": _check_found(same)}, 30.0)]
    findings, text = _run(check, tmp_path, plan, 100)
    assert findings.exit_code == code
    assert f"{int(same)} of 1 results agree with the CPU's" in text
    assert ("**not finite**" in text) is not same
    assert "GPU: NVIDIA L4" in text


def test_the_budget_ends_it_with_a_report_of_what_was_reached(
    check: ModuleType, played: Callable[..., Any], tmp_path: Path
) -> None:
    hang = check.Step("hang", "a path that hangs", {"finds": _check_found(True), "pids": os.devnull}, 60.0)
    later = [check.Step("embedded", f"path {number}", {"finds": _check_found(True)}, 30.0) for number in range(3)]
    findings, text = _run(check, tmp_path, [hang, *later], 20)
    assert findings.exit_code == 1
    assert len(findings.checks) == 1
    assert "a path that hangs: killed after" in text
    assert "not reached in 20 s: path 0, path 1, path 2" in text


def test_networks_that_were_not_made_have_no_steps(
    check: ModuleType, played: Callable[..., Any], tmp_path: Path
) -> None:
    plan = [
        check.Step("make", "b32 making", {"finds": _check_found(True)}, 30.0),
        check.Step("onnx", "b32 onnx", {"backbone": "b32", "finds": _check_found(False)}, 30.0),
    ]
    findings, _ = _run(check, tmp_path, plan, 100)
    assert len(findings.checks) == 1


def test_rows_have_the_columns_of_the_networks_table(check: ModuleType) -> None:
    row = {"backbone": "s32", "batch": 2, "gflop": 10.0, "median": 4.0, "p95": 5.0, "least": 3.0, "gflops": 2500.0}
    findings = check.Findings(
        rows=[row | {"runtime": "torch fp32 cuda"}, row | {"runtime": "onnx fp16 cuda graphs", "median": 2.0}],
        peaks={"fp16": 5000.0},
    )
    eager, fast = check._completed(findings)
    assert eager["ratio"] == 1.0
    assert (fast["ratio"], fast["gemm_peak"]) == (2.0, 5000.0)
    lines = check.table([eager, fast])
    assert "eager / this" in lines[0]
    assert lines[3] == "| s32 | onnx fp16 cuda graphs | - | 2 | 2.0 | 5.0 | 3.0 | 2500 | 5000 | 50 % | 2.00 |"


def _network(path: Path) -> None:
    """Answers that depend on the crop: each is its colours' means by a matrix."""
    rng = np.random.default_rng(0)
    sizes = {"pose_6d": (53, 6), "betas": (10,), "expression": (10,), "camera": (3,)}
    nodes = [helper.make_node("ReduceMean", ["image"], ["means"], axes=[1, 2], keepdims=0)]
    constants, outputs = [], []
    for name, shape in sizes.items():
        constants.append(numpy_helper.from_array(rng.normal(size=(3, np.prod(shape))).astype(np.float32), f"{name}_w"))
        constants.append(numpy_helper.from_array(np.array([-1, *shape]), f"{name}_s"))
        nodes.append(helper.make_node("MatMul", ["means", f"{name}_w"], [f"{name}_f"]))
        nodes.append(helper.make_node("Reshape", [f"{name}_f", f"{name}_s"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 256, 192, 3])
    graph = helper.make_graph(nodes, "means", [image], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


@pytest.fixture
def described(steps: ModuleType, tmp_path: Path) -> dict[str, Any]:
    """A step over the small graph, as if it had been made by `make`."""
    (tmp_path / "fp32").mkdir()
    _network(tmp_path / "fp32" / "model.onnx")
    steps._store_cpu_results(tmp_path / "fp32" / "model.onnx", tmp_path)
    common = {"backbone": "tiny", "folder": str(tmp_path), "batches": [1, 2, 4], "runs": 3, "gflop": 1.0}
    return {**common, "device": "cpu", "precision": "fp32", "longest_s": 1.0}


@pytest.mark.parametrize("mode", model.GPU_MODES)
def test_a_path_that_answers_like_the_cpu_is_the_same(steps: ModuleType, described: dict[str, Any], mode: str) -> None:
    found: list[dict[str, Any]] = []
    steps.by_onnx({**described, "mode": mode}, found.append)
    checks = [each["check"] for each in found if "check" in each]
    assert all(check["same"] for check in checks)
    assert [check["batch"] for check in checks] == [1, 2, 4, 3, 11] + [1] * (mode == "graphs")
    rows = [each["row"] for each in found if "row" in each]
    assert [row["batch"] for row in rows] == [1, 1, 2, 2, 4, 4]
    json.dumps(found)


@pytest.mark.parametrize(
    ("spoil", "finite"),
    [
        (lambda answer: {name: np.roll(value, 1, axis=0) for name, value in answer.items()}, True),
        (lambda answer: {name: 0 * value for name, value in answer.items()}, True),
        (lambda answer: {name: value + np.inf for name, value in answer.items()}, False),
        (lambda answer: {name: value[:1] for name, value in answer.items()}, False),
    ],
)
def test_a_path_that_answers_something_else_differs(
    steps: ModuleType,
    described: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Any], Any],
    finite: bool,
) -> None:
    """Rows exchanged, zeros, infinities, and fewer rows."""
    found: list[dict[str, Any]] = []
    network = OnnxNetwork(Path(described["folder"]) / "fp32" / "model.onnx")
    crops, expected = crop_batch(*steps.people()), steps._expected(described, "opencv")
    steps._compare(
        found.append, described, "path", 4, lambda rows: spoil(network.run({"image": crops[rows]})), expected, 0.15
    )
    assert not found[0]["check"]["same"]
    assert (found[0]["check"]["most"] is not None) == finite


def test_a_replay_of_the_batch_before_differs(steps: ModuleType, described: dict[str, Any]) -> None:
    found: list[dict[str, Any]] = []
    network = OnnxNetwork(Path(described["folder"]) / "fp32" / "model.onnx")
    crops, expected = crop_batch(*steps.people()), steps._expected(described, "opencv")
    stale: list[Any] = []

    def run(rows: Any) -> Any:
        stale.append(network.run({"image": crops[rows]}))
        return stale[max(0, len(stale) - 2)]

    steps._compare(found.append, described, "path", 2, run, expected, 0.15)
    assert not found[0]["check"]["same"]


def test_a_device_that_does_not_start_is_no_measurement(steps: ModuleType, described: dict[str, Any]) -> None:
    found: list[dict[str, Any]] = []
    with pytest.raises(RuntimeError, match="CUDAExecutionProvider did not start: CPUExecutionProvider runs instead"):
        steps.by_onnx({**described, "mode": "plain", "device": "cuda"}, found.append)
    assert found == []


def test_the_detector_beside_a_network_gives_what_it_gives_alone(steps: ModuleType, described: dict[str, Any]) -> None:
    found: list[dict[str, Any]] = []
    steps.beside(described, found.append)
    (check,) = (each["check"] for each in found)
    assert check["same"]
    assert "concurrent with the detector" in check["name"]
