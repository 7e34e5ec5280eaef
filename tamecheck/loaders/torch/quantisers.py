"""The fake quantisers of PyTorch's training, with their scales as they are.

Such a module asks buffers whether it is on, which is a branch on the values of tensors; so it is
replaced by the function that it computes now.
"""

from __future__ import annotations

import copy
import sys
from typing import Any

from tamecheck.errors import InputError


def fix_quantisers(torch: Any, module: Any, where: str) -> Any:
    """The module, or a copy of it with each fake quantiser as a function, if it has any.

    Raises
    ------
    InputError
        If the observer of one is on, so that every input changes its scale.
    """
    # whoever has a fake quantiser has imported this
    known = sys.modules.get("torch.ao.quantization.fake_quantize")
    kind = getattr(known, "FakeQuantizeBase", ())
    if not any(isinstance(part, kind) for part in module.modules()):
        return module
    if isinstance(module, kind):
        return _fixed(torch, module, "", where)
    own = copy.deepcopy(module)
    for parent_name, parent in list(own.named_modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, kind):
                setattr(parent, name, _fixed(torch, child, f"{parent_name}.{name}", where))
    return own


def _fixed(torch: Any, quantiser: Any, name: str, where: str) -> Any:
    if bool(quantiser.observer_enabled[0]) and not _is_constant(quantiser):
        raise InputError(
            f"The observer of the fake quantiser {name.lstrip('.')!r} is on, so that every input "
            "changes its scale.",
            where=where,
            hint="Call module.apply(torch.ao.quantization.disable_observer) first.",
        )
    if not bool(quantiser.fake_quant_enabled[0]):
        return torch.nn.Identity()
    scale, zero = quantiser.scale.detach(), quantiser.zero_point.detach()
    observer = getattr(quantiser, "activation_post_process", quantiser)
    low, high = int(observer.quant_min), int(observer.quant_max)
    axis = int(quantiser.ch_axis) if getattr(quantiser, "is_per_channel", False) else -1

    one_scale, one_zero = float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0])

    class Fixed(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            if axis < 0:
                return torch.fake_quantize_per_tensor_affine(x, one_scale, one_zero, low, high)
            scales, zeros = self.get_buffer("scale"), self.get_buffer("zero")
            return torch.fake_quantize_per_channel_affine(x, scales, zeros, axis, low, high)

    found: Any = Fixed()
    found.register_buffer("scale", scale.clone())
    found.register_buffer("zero", zero.clone())
    return found


def _is_constant(quantiser: Any) -> bool:
    """Whether the observer has a scale that nothing changes."""
    observer = getattr(quantiser, "activation_post_process", None)
    return "Fixed" in type(observer).__name__
