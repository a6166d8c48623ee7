"""The loss of networks that predict their own uncertainty, shared by the kinds that do."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ampcli.models.options import Options
from ampcli.records.settings import Settings

#: The predicted ln(sigma / deviation) stays within these, so that no single point can dominate a batch.
LOG_SIGMA = (-12.0, 4.0)

#: What docs/results/z-jets.md and fame.md found better than the settings of the papers.
IMPROVED = Settings(
    preset="residual",
    residual=True,
    activation="gelu",
    batch_size=1024,
    optimiser="soap",
    learning_rate=1e-2,
    schedule="one-cycle",
)


class LikelihoodOptions(Options):
    """Options of kinds that predict their own uncertainty."""

    beta: float = Field(
        default=0.0, ge=0, le=1, description="Exponent beta of the beta-NLL loss; 0 is the plain Gaussian likelihood."
    )


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
