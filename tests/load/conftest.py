"""What PyTorch's exporter makes anew for each module is made once for all of them."""

import functools
import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _tables_once():
    """Its operators, from the sources of a thousand functions, and its composite operators."""
    if "torch" not in sys.modules:
        # no test here needs it
        yield
        return
    from torch._export import utils
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    operators = functools.cache(ONNXRegistry.from_torchlib)
    composite = functools.cache(utils._collect_all_valid_cia_ops_for_namespace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(operators))
        patch.setattr(utils, "_collect_all_valid_cia_ops_for_namespace", composite)
        yield
