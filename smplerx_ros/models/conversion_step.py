"""One step of a conversion, as a process of its own: `export` or `check`. Answers with a line of JSON.

A step's memory is the network's once, mapped from its file, beside the libraries; the next step begins with none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SmplerxError
from .bundle import MODEL_FILES
from .registry import get_backbone
from .self_check import check, check_images

EXIT_REFUSED = 3
_REFERENCE = "reference.npz"


def export_step(checkpoint: str, directory: str, backbone: str, runtime: str, precision: str) -> dict[str, Any]:
    """Writes the product's files and what the torch network in float32 answers; returns fields of the bundle."""
    import torch

    from .checkpoint import read_checkpoint
    from .export import OPSET, export
    from .network import CropNetwork, load_published, reduce_precision

    entry, state = read_checkpoint(checkpoint, get_backbone(backbone) if backbone else None)
    network = load_published(entry, state)
    del state
    with torch.inference_mode():
        crops = CropNetwork(network)
        outputs = [crops(torch.from_numpy(image[None])) for image in check_images()]
    reference = {name: torch.cat([out[name] for out in outputs]).numpy() for name in outputs[0]}
    np.savez(Path(directory) / _REFERENCE, **reference)
    reduce_precision(network, precision)
    files = export(network, runtime, Path(directory))
    image = check_images()
    return {
        "backbone": entry.name,
        "opset": OPSET if runtime == "onnx" else None,
        "files": [file.name for file in files],
        "inputs": {"image": {"shape": ["batch", *image.shape[1:]], "type": "float32", "what": "RGB, 0..255"}},
        "outputs": {
            name: {"shape": ["batch", *value.shape[1:]], "type": "float32"} for name, value in reference.items()
        },
        "converter": versions(),
    }


def check_step(directory: str, backbone: str, runtime: str, precision: str) -> dict[str, float]:
    """Compares the product in `directory` with the reference beside it, which is removed."""
    path = Path(directory) / MODEL_FILES[runtime]
    with np.load(Path(directory) / _REFERENCE) as stored:
        reference = dict(stored)
    if runtime == "onnx":
        from ..runtime.onnx import OnnxNetwork

        found = check(OnnxNetwork(path), reference, precision)
    else:
        from safetensors.torch import load_file

        from ..runtime.torch import TorchNetwork
        from .network import load_native

        network = load_native(get_backbone(backbone), load_file(path))
        found = check(TorchNetwork(network, precision=precision), reference, precision)
    (Path(directory) / _REFERENCE).unlink()
    return found


def versions() -> dict[str, str]:
    """Of this package and of the libraries that write the product."""
    from importlib.metadata import version

    import smplerx_ros

    return {"smplerx_ros": smplerx_ros.__version__} | {name: version(name) for name in ("torch", "timm", "onnxscript")}


def main(arguments: list[str]) -> int:
    """Runs the step that `arguments` names."""
    step, *rest = arguments
    try:
        answer: dict[str, Any] = export_step(*rest) if step == "export" else check_step(*rest)
    except ImportError as error:
        sys.stderr.write(f"conversion needs torch, timm and onnxscript ({error}): pip install 'smplerx_ros[torch]'\n")
        return EXIT_REFUSED
    except SmplerxError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
