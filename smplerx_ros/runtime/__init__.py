"""Execution of networks with ONNX Runtime: providers, batches, device memory and CUDA graphs."""
