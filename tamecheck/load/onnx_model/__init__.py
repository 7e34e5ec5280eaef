"""ONNX and QONNX models, read as exact graphs of primitive ops."""

from tamecheck.load.onnx_model.inspection import inspect
from tamecheck.load.onnx_model.reader import input_shapes, load_onnx

__all__ = ["input_shapes", "inspect", "load_onnx"]
