"""Matrix products in fp32 into buffers, by MKL or by oneDNN.

torch's own products are MKL's. oneDNN's come from an operator of torch that is private, has no
`out` and rounds differently; they are for processors on which MKL is slow, and for products that
are worth the copy.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Call = Callable[[], object]
FROM = 2**20  # multiply-adds of a product, from which on oneDNN's may be taken


def has_onednn_linear() -> bool:
    """Whether this torch has oneDNN's linear layer for fp32."""
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")


def affine(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor, *, onednn: bool) -> Call:
    """The call that computes out = x W^T + b.

    x: (rows, inputs); weight: (outputs, inputs); bias: (outputs,); out: (rows, outputs). onednn:
    whether oneDNN computes large products.
    """
    if onednn and x.numel() * len(weight) >= FROM:
        return partial(_linear, x, weight, bias, out)
    return partial(torch.addmm, bias, x, weight.t(), out=out)


def product(a: Tensor, b: Tensor, out: Tensor, *, onednn: bool) -> Call:
    """The call that computes out = a b. a: (n, k); b: (k, m); out: (n, m)."""
    if onednn and a.numel() * b.shape[1] >= FROM:
        return partial(_linear, a, b.t(), None, out)
    return partial(torch.mm, a, b, out=out)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """Writes x W^T + b, as oneDNN computes it, into `out`."""
    out.copy_(torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))
