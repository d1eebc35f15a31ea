#!/usr/bin/env python3
"""Generate smplerx_ros/assets/crops.onnx: `geometry.crops.crop` as an ONNX graph, for GPUs.

A separable bilinear warp: two weighted taps per axis, four per pixel. It gathers bytes, so that the image is never
converted as a whole. It contains no matrix product, whose factors a GPU may round to ten bits (TF32). GridSample would
be shorter, but older versions of ONNX Runtime implement it on the CPU only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

FILE = Path(__file__).resolve().parents[1] / "smplerx_ros" / "assets" / "crops.onnx"
WIDTH, HEIGHT = 192, 256  # of a crop
OPSET, IR_VERSION = 18, 8  # as of the networks' files (models/export.py)

# Positions of the crop's pixels in the image along an axis (`place`), the two adjacent image pixels (`tap`), and their
# weights, which are zero outside the image.
AXIS = """
    AXIS_way = Mul (AXIS_steps, AXIS_size)
    AXIS_place = Add (AXIS_start, AXIS_way)
    AXIS_floor = Floor (AXIS_place)
    AXIS_place2 = Unsqueeze (AXIS_place, last_axis)
    AXIS_floor2 = Unsqueeze (AXIS_floor, last_axis)
    AXIS_tap = Add (AXIS_floor2, pair)
    AXIS_apart = Sub (AXIS_place2, AXIS_tap)
    AXIS_distance = Abs (AXIS_apart)
    AXIS_hat = Sub (one, AXIS_distance)
    AXIS_limit = Cast <to = 1> (AXIS_pixels)
    AXIS_end = Sub (AXIS_limit, one)
    AXIS_above = Max (AXIS_tap, zero)
    AXIS_inside = Min (AXIS_above, AXIS_end)
    AXIS_is_inside = Equal (AXIS_tap, AXIS_inside)
    AXIS_weight = Where (AXIS_is_inside, AXIS_hat, zero)
    AXIS_index = Cast <to = 7> (AXIS_inside)
"""
GRAPH = f"""
<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>
crops (uint8[height, width, 3] image, float[batch, 4] regions) => (float[batch, {HEIGHT}, {WIDTH}, 3] crops)
{{
    x_start, y_start, x_size, y_size = Split <axis = 1, num_outputs = 4> (regions)
    y_pixels = Shape <start = 0, end = 1> (image)
    x_pixels = Shape <start = 1, end = 2> (image)
    {AXIS.replace("AXIS", "x")}
    {AXIS.replace("AXIS", "y")}
    rows = Mul (y_index, x_pixels)
    row = Unsqueeze (rows, y_axes)
    column = Unsqueeze (x_index, x_axes)
    index = Add (row, column)
    y_weights = Unsqueeze (y_weight, y_axes)
    x_weights = Unsqueeze (x_weight, x_axes)
    weights = Mul (y_weights, x_weights)
    weight = Unsqueeze (weights, last_axis)
    pixels = Reshape (image, flat)
    bytes = Gather (pixels, index)
    values = Cast <to = 1> (bytes)
    weighted = Mul (values, weight)
    crops = ReduceSum <keepdims = 0> (weighted, taps)
}}
"""


def constants() -> dict[str, np.ndarray]:
    """Return the constants by name. The layout of gathered pixels is (batch, HEIGHT, WIDTH, y tap, x tap, colour)."""
    return {
        "x_steps": (np.arange(WIDTH) / WIDTH).astype(np.float32)[None],
        "y_steps": (np.arange(HEIGHT) / HEIGHT).astype(np.float32)[None],
        "pair": np.array([0, 1], np.float32),
        "zero": np.float32(0),
        "one": np.float32(1),
        "last_axis": np.array([-1]),
        "y_axes": np.array([2, 4]),
        "x_axes": np.array([1, 3]),
        "flat": np.array([-1, 3]),
        "taps": np.array([3, 4]),
    }


def network() -> onnx.ModelProto:
    """Build and check the model."""
    model = parser.parse_model(GRAPH)
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), name) for name, v in constants().items())
    model.producer_name = "smplerx_ros"
    helper.set_model_props(model, {"made_by": "scripts/make_crop_network.py"})
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    FILE.write_bytes(network().SerializeToString(deterministic=True))
