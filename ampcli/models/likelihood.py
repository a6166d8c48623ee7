"""The loss of networks that predict their own uncertainty, shared by the kinds that do."""

from __future__ import annotations

import torch
from torch import Tensor

#: The predicted ln(sigma / deviation) stays within these, so that no single point can dominate a batch.
LOG_SIGMA = (-12.0, 4.0)


def heteroscedastic_loss(error: Tensor, log_sigma: Tensor, beta: float) -> Tensor:
    """Gaussian log-likelihood (Amplitude Surrogates, Eq. 7) of standardised errors, mean over points: (R, n) -> (R,).

    Args:
        beta: each point's gradient is weighted by sigma^(2 beta) in training (beta-NLL, M. Seitzer et al., 2203.09168).
    """
    log_sigma = log_sigma.clamp(*LOG_SIGMA)
    terms = 0.5 * error.square() * torch.exp(-2 * log_sigma) + log_sigma
    if beta > 0 and terms.requires_grad:  # validation is judged by the likelihood itself
        terms = terms * torch.exp(2 * beta * log_sigma.detach())
    return terms.mean(-1)


def relative_sigma(log_sigma: Tensor, deviation: Tensor) -> Tensor:
    """The uncertainty of a target with this standard deviation: (R, n) float64."""
    return deviation * torch.exp(log_sigma.double().clamp(*LOG_SIGMA))
