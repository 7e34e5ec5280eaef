"""The small networks that tamecheck ships; `examples/train_embedded_models.py` makes them."""

from __future__ import annotations

from tamecheck.models.catalogue import EMBEDDED, Embedded, path

__all__ = ["EMBEDDED", "Embedded", "path"]
