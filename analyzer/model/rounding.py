"""How far two ways to compute one number may differ by rounding alone."""

from __future__ import annotations

ROUNDING = {"float32": 1e-4, "float64": 1e-6}


def rounding_of(dtype: str, half: float = 5e-2) -> float:
    """Largest difference that the precision explains, relative to the size of what is compared.

    `half` is that of float16 and bfloat16: less where every number is a mean, in which rounding cancels out.
    """
    return ROUNDING.get(dtype, half)
