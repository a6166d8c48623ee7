"""Combination of models by the inverse of their covariance (Amplitude Surrogates, Eqs. 14 to 17).

Models are combined in ln|M|^2: to first order in the errors this is Eq. 14, and a combination with negative weights,
which strong correlations give, cannot turn an amplitude negative.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Smallest eigenvalue of a correlation matrix: one that is closer to singular is mixed with the unit matrix.
_LEAST_EIGENVALUE = 1e-2


def error_correlation(errors: Tensor, uncertainties: Tensor) -> Tensor:
    """Correlations of the models' errors in units of their uncertainties.

    Args:
        errors: ln(predicted / exact) of R models at n points, (R, n); uncertainties: of ln|M|^2, (R, n), positive.

    Returns:
        (R, R), positive definite: 1 on the diagonal, smallest eigenvalue at least 1e-2.
    """
    correlation = torch.corrcoef(errors / uncertainties)
    least = float(torch.linalg.eigvalsh(correlation)[0])
    if least >= _LEAST_EIGENVALUE:
        return correlation
    # (1 - e) least + e = the bound
    mixed = (_LEAST_EIGENVALUE - least) / (1.0 - least)
    return (1.0 - mixed) * correlation + mixed * torch.eye(len(correlation), dtype=correlation.dtype)


def combine_by_covariance(amplitudes: Tensor, relative: Tensor, correlation: Tensor) -> tuple[Tensor, Tensor]:
    """The combination and its relative uncertainty, (n,) each.

    Args:
        amplitudes: of R models, (R, n); relative: their relative uncertainties, (R, n), positive.
        correlation: (R, R), positive definite.
    """
    precision = 1.0 / relative
    inverse = torch.linalg.inv(correlation.to(precision)) @ precision  # sum_k (rho^-1)_jk / sigma_k
    total = (precision * inverse).sum(0)  # sum_jk (C^-1)_jk
    weights = precision * inverse / total
    positive = amplitudes.clamp_min(torch.finfo(amplitudes.dtype).tiny)  # kinds other than surrogates may fail to be
    return (weights * positive.log()).sum(0).exp(), total.rsqrt()
