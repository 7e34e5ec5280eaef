"""ONNX and QONNX models, read as exact graphs of primitive ops."""

from tamecheck.loaders.onnx.reader import input_shapes, inspect, load_onnx

__all__ = ["input_shapes", "inspect", "load_onnx"]
