"""Fills by ONNX Runtime: exported graphs, without torch."""
