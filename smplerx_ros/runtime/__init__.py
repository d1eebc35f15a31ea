"""How networks run: ONNX Runtime and torch behind one interface."""
