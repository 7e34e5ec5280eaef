"""Explaining any classifier from the command line: what its inputs are, and what can occur."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message
from tamecheck.cli.inputs import groups_of, levels_of
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.cli.inputs import Naming
    from tamecheck.explain import ModelExplainer
    from tamecheck.loaders.samples import Sample
    from tamecheck.model import Model


def classifier_explainer(
    args: Namespace, model: Model, naming: Naming, sample: Sample | None
) -> ModelExplainer:
    """The explainer of a model that is no binarized network, or is explained over a box.

    Without ``--box`` and ``--domain`` the domain is the range of each column of the table.
    """
    from tamecheck.explain.networks import Described, model_explainer
    from tamecheck.ir.tensor import size_of
    from tamecheck.loaders.samples import exact_points
    from tamecheck.loaders.text.box import box_of_rows

    if args.thermometer is not None:
        what = "A thermometer is for inputs of two levels."
        raise InputError(what, where="--thermometer", hint="Give --box and --integers.")
    if getattr(args, "constraint", None):
        what = "--constraint is for networks whose inputs take two levels."
        raise InputError(what, hint="Groups of inputs are told by --one-hot.")
    box: Any = args.box
    domain = None if args.domain is None else levels_of(args.domain)
    if box is not None and domain is not None:
        raise InputError("--box or --domain, not both.")
    names = naming.names
    if sample is not None and naming.inferred:
        names = list(sample.names)
    if box is None and domain is None and sample is not None:
        box = box_of_rows(exact_points(sample), model.inputs)
        message(args, "The domain is the range of each column of the table; --box gives another.")
    classes = naming.classes or (() if sample is None else sample.classes)
    inputs = sum(map(size_of, model.inputs.values()))
    return model_explainer(
        Described(model),
        domain=domain,
        box=box,
        integers=[] if args.integers is None else [k.strip() for k in args.integers.split(",")],
        one_hot=groups_of(args.one_hot, "--one-hot", inputs),
        names=names,
        classes=classes,
        seed=args.seed,
    )
