"""What the package's code may not do, read from the code: unpickle, run commands, open connections."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import smplerx_ros

PACKAGE = Path(smplerx_ros.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# Who may import what, and why.
ALLOWED = {
    "pickle": {
        "research/evaluation/pickles.py",  # its own unpickler: plain data only (test/unit/research/evaluation)
        "research/evaluation/agora.py",  # writes what the benchmark takes
        "backbones/smpler_x/checkpoint.py",  # the name of an exception
    },
    "socket": {
        "visualization/web/page.py",  # whether a port is free
        "ros/drawing/client.py",  # a pair without a name, between the node and its drawing process
        "ros/drawing/main.py",  # the other end of it
    },
    "subprocess": {
        "cli/doctor.py",  # asks what is installed
        "backbones/smpler_x/convert.py",  # the steps of a conversion: this interpreter, this package
        "research/evaluation/pose2sim.py",  # pip, for data that the user asks for
        "ros/drawing/client.py",  # the drawing process: this interpreter, this package
        "tools/processes.py",  # the processes of the demo: this interpreter, this package
    },
}
NEVER = {
    "urllib",
    "http",
    "ftplib",
    "requests",
    "httpx",
    "aiohttp",
    "marshal",
    "shelve",
    "dill",
    "joblib",
    "cloudpickle",
}


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    return names


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def keyword(call: ast.Call, name: str) -> object:
    return next((ast.literal_eval(k.value) for k in call.keywords if k.arg == name), None)


@pytest.mark.parametrize("module", MODULES)
def test_module(module: str) -> None:
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    names = imported(tree)
    assert not names & NEVER
    for name, modules in ALLOWED.items():
        assert name not in names or module in modules, f"{module} imports {name}"
    for function, call in calls(tree):
        assert function not in ("eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads"), function
        assert keyword(call, "shell") in (None, False)
        if function == "torch.load":
            assert keyword(call, "weights_only") is True
        if function == "np.load":
            assert keyword(call, "allow_pickle") is False
