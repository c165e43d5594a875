"""A place to read and to change what a block writes, where no one linear map ends it (a mixture of experts).

A hook that stays on the block hands its output on through the seam, which is called as any module is: hooks on it
see, and may change, the write. What is measured of "neurons" there is measured of the numbers of the write, whose
map into the residual stream is the identity. A seam is no part of the model's tree, so no tensor has another name.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

KEPT_AS = "_seam"
"""Name under which a block keeps its own, outside PyTorch's register of modules."""


class Seam(nn.Module):
    """Hands on what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.in_tuple = False
        """Whether the block returns (hidden states, ...); known once it has run."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        return hidden_states


def seam_behind(block: nn.Module) -> Seam:
    """The seam behind a block, made at first use."""
    found = block.__dict__.get(KEPT_AS)
    if found is None:
        found = Seam()
        block.__dict__[KEPT_AS] = found
        block.register_forward_hook(_through)
    return found


def _through(block: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    seam = block.__dict__[KEPT_AS]  # looked up: a copy of the block has a seam of its own
    seam.in_tuple = isinstance(output, tuple)
    written = output[0] if seam.in_tuple else output
    if args and args[0].ndim == 3:  # Llama 4's experts return all tokens in one row
        written = written.reshape(args[0].shape)
    written = seam(written)
    return (written, *output[1:]) if seam.in_tuple else written
