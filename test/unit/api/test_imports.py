"""What is imported when: `import smplerx_ros` nothing, and PyTorch only by those who ask for it."""

from __future__ import annotations

import subprocess
import sys

from support.paths import ROOT

HEAVY = ("numpy", "scipy", "cv2", "onnxruntime", "torch", "rclpy")


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_and_lists_everything() -> None:
    program = f"""
import sys
before = set(sys.modules)
import smplerx_ros
assert set(dir(smplerx_ros)) > set(smplerx_ros._PUBLIC)
smplerx_ros.InputError, smplerx_ros.ConfigError
print([name for name in {HEAVY} if name in set(sys.modules) - before])
"""
    assert run(program) == "[]"


def test_everything_public_and_the_default_estimator_work_without_torch_and_ros() -> None:
    program = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "rclpy", "smplx", "timm"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import smplerx_ros.research.evaluation
for package in (smplerx_ros, smplerx_ros.research.evaluation):
    for name in package._PUBLIC:
        getattr(package, name)
with smplerx_ros.Estimator.from_config({"device": "cpu"}) as estimator:
    estimator.warm_up()
print("fine")
"""
    assert run(program) == "fine"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    program = """
import smplerx_ros
try:
    smplerx_ros.Estimater
except AttributeError as error:
    print(error)
"""
    assert run(program) == "module 'smplerx_ros' has no attribute 'Estimater'"
