"""ONNX and QONNX models, read as exact graphs of primitive ops."""

from tamecheck.load.onnx_model.inspection import inspect
from tamecheck.load.onnx_model.reader import load_onnx

__all__ = ["inspect", "load_onnx"]
