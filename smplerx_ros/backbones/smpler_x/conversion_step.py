"""Run one step of a conversion, `export` or `check`, in its own process; the result is a line of JSON on stdout.

Thus each step starts with free memory, and holds the network only once, mapped from its file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from smplerx_ros.backbones.registry import BackboneSpec, get_backbone
from smplerx_ros.errors import SmplerxError

from .bundle import INT8, MODEL_FILES
from .self_check import check, check_images

EXIT_REFUSED = 3
_REFERENCE = "reference.safetensors"
_PARTS = 4  # in which a network is converted to another precision


def export_step(checkpoint: str, directory: str, backbone: str, runtime: str, precision: str) -> dict[str, Any]:
    """Write the converted files and reference outputs of the torch network in float32; return fields of the bundle."""
    from safetensors.numpy import save_file

    from .checkpoint import read_checkpoint
    from .export import OPSET, export
    from .network import load_published

    entry, state = read_checkpoint(checkpoint, get_backbone(backbone) if backbone else None)
    network = load_published(entry, state)
    reference = _reference(network)
    save_file(reference, Path(directory) / _REFERENCE)
    if precision == "fp16":
        del network, state
        network = _load_reduced(checkpoint, entry, precision)
    files = export(network, reference, runtime, Path(directory), int8=precision == INT8)
    crop = check_images().shape[1:]
    return {
        "backbone": entry.name,
        "opset": OPSET if runtime == "onnx" else None,
        "files": [file.name for file in files],
        "inputs": {"image": {"shape": ["batch", *crop], "type": "float32", "what": "RGB, 0..255"}},
        "outputs": {
            name: {"shape": ["batch", *value.shape[1:]], "type": "float32"} for name, value in reference.items()
        },
        "converter": versions(),
    }


def check_step(directory: str, backbone: str, runtime: str, precision: str) -> dict[str, float]:
    """Compare the converted network in `directory` with the reference outputs, which are removed."""
    from safetensors.numpy import load_file

    path = Path(directory) / MODEL_FILES[runtime]
    reference = load_file(Path(directory) / _REFERENCE)
    if runtime == "onnx":
        from smplerx_ros.runtime.onnx import OnnxNetwork

        found = check(OnnxNetwork(path), reference, precision)
    else:
        from safetensors.torch import load_file as load_tensors

        from .network import load_native
        from .torch_runtime import TorchNetwork

        network = load_native(get_backbone(backbone), load_tensors(path))
        found = check(TorchNetwork(network, precision=precision), reference, precision)
    (Path(directory) / _REFERENCE).unlink()
    return found


def _reference(network: Any) -> dict[str, NDArray[Any]]:
    """Outputs of the torch network for the check's images, one at a time to save memory."""
    import torch

    from .network import CropNetwork

    crops = CropNetwork(network)
    with torch.inference_mode():
        outputs = [crops(torch.from_numpy(image[None])) for image in check_images()]
    return {name: torch.cat([out[name] for out in outputs]).numpy() for name in outputs[0]}


def _load_reduced(checkpoint: str, backbone: BackboneSpec, precision: str) -> Any:
    """Load the network in `precision`, in parts; the file is mapped again for each part.

    This releases pages that were read, so that float32 and half-precision weights are never all in memory together.
    """
    import torch

    from .checkpoint import read_checkpoint
    from .network import build_network, load_native, load_published, reduce_precision

    with torch.device("meta"):
        template = build_network(backbone)
    reduce_precision(template, precision)
    types = {name: value.dtype for name, value in template.state_dict().items()}
    state = {}
    for part in range(_PARTS):
        source = load_published(*read_checkpoint(checkpoint, backbone)).state_dict()
        for name in list(types)[part::_PARTS]:
            state[name] = source[name].to(types[name], copy=True)
        del source
    return load_native(backbone, state)


def versions() -> dict[str, str]:
    """Versions of this package and of the libraries used for conversion."""
    from importlib.metadata import version

    import smplerx_ros

    return {"smplerx_ros": smplerx_ros.__version__} | {name: version(name) for name in ("torch", "timm", "onnxscript")}


def main(arguments: list[str]) -> int:
    """Run the step given by `arguments`; return the exit code."""
    step, *rest = arguments
    try:
        result: dict[str, Any] = export_step(*rest) if step == "export" else check_step(*rest)
    except ImportError as error:
        sys.stderr.write(f"conversion needs torch, timm and onnxscript ({error}): pip install 'smplerx_ros[torch]'\n")
        return EXIT_REFUSED
    except SmplerxError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
