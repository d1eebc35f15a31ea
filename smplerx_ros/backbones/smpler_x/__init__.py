"""SMPLer-X and SMPLest-X: networks in torch, checkpoints, bundles, conversion and inference.

Inference with ONNX Runtime does not need torch.
"""
