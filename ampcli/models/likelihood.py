"""The loss of networks that predict their own uncertainty, shared by the kinds that do."""

from __future__ import annotations

import torch
from torch import Tensor

#: The predicted ln(sigma / deviation) stays within these, so that no single point can dominate a batch.
LOG_SIGMA = (-12.0, 4.0)


def heteroscedastic_loss(error: Tensor, log_sigma: Tensor, beta: float, noise: Tensor | None = None) -> Tensor:
    """Gaussian log-likelihood (Amplitude Surrogates, Eq. 7) of standardised errors, mean over points: (R, n) -> (R,).

    Args:
        noise: statistical errors of the targets, (R, n), of which sigma is independent: their variances add up.
        beta: each point's gradient is weighted by sigma^(2 beta) in training (beta-NLL, M. Seitzer et al., 2203.09168).
    """
    log_sigma = log_sigma.clamp(*LOG_SIGMA)
    if noise is not None:
        log_sigma = 0.5 * torch.log(torch.exp(2 * log_sigma) + noise.square())
    terms = 0.5 * error.square() * torch.exp(-2 * log_sigma) + log_sigma
    if beta > 0 and terms.requires_grad:  # validation is judged by the likelihood itself
        terms = terms * torch.exp(2 * beta * log_sigma.detach())
    return terms.mean(-1)


@torch.no_grad()
def heteroscedastic_slopes(
    error: Tensor, log_sigma: Tensor, beta: float, noise: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """`heteroscedastic_loss` in training, and its derivatives by errors and log_sigma, (R, n) each, without a graph."""
    inside = log_sigma.clamp(*LOG_SIGMA)
    if noise is not None:
        own = torch.exp(2 * inside)
        both = own + noise.square()
        inside = 0.5 * torch.log(both)
    scaled = error * torch.exp(-2 * inside)
    squares = error * scaled
    terms = torch.add(inside, squares, alpha=0.5)
    by_sigma = 1.0 - squares
    if beta > 0:
        weight = torch.exp(2 * beta * inside)
        terms, scaled, by_sigma = terms * weight, scaled * weight, by_sigma * weight
    if noise is not None:
        by_sigma = by_sigma * (own / both)
    # Where the clamp holds log_sigma, nothing pulls at it.
    by_sigma.masked_fill_(~((log_sigma >= LOG_SIGMA[0]) & (log_sigma <= LOG_SIGMA[1])), 0.0)
    points = error.shape[-1]
    return terms.mean(-1), scaled.div_(points), by_sigma.div_(points)


def relative_sigma(log_sigma: Tensor, deviation: Tensor) -> Tensor:
    """The uncertainty of a target with this standard deviation: (R, n) float64."""
    return deviation * torch.exp(log_sigma.double().clamp(*LOG_SIGMA))
