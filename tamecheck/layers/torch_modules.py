"""The attributes of `tamecheck.layers` that are modules of PyTorch, imported when asked for."""

from typing import Any

from tamecheck.errors import UnsupportedError


def torch_module(name: str) -> Any:
    """`TameSign`; for other names there is the error that Python expects."""
    if name != "TameSign":
        raise AttributeError(f"module 'tamecheck.layers' has no attribute {name!r}")
    try:
        from tamecheck.layers.tame_sign import TameSign
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UnsupportedError("PyTorch is not installed.", hint="pip install torch.") from None
    return TameSign
