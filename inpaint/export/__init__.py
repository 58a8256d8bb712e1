"""Files from runs for other programs: ONNX graphs, and programs of PyTorch."""
