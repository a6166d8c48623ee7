"""Which numbers can be values of an amplitude."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ampcli.kinematics import FloatArray


def usable(values: FloatArray, signed: bool) -> npt.NDArray[np.bool_]:
    """Finite and positive ones, or of either sign if they are `signed`; (n,).

    Zeros are none: models are judged by relative errors.
    """
    return np.isfinite(values) & ((values != 0) if signed else (values > 0))
