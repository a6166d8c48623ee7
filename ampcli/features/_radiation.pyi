import numpy as np
import numpy.typing as npt

class Choices:
    def __init__(
        self,
        *,
        initial: bool,
        either: bool,
        printed_kernel: bool,
        delta_r: bool,
        s_ijk: bool,
        extended: bool,
        orient: bool,
        coupling: float,
    ) -> None: ...

class Step:
    def __init__(
        self,
        *,
        legs: int,
        last_gluon: int,
        rank: int,
        candidates: list[tuple[int, int]],
        jets: list[int],
        massive: list[bool],
        gluon: list[bool],
    ) -> None: ...

class Radiation:
    def __init__(self, steps: list[Step], groups: list[list[int]], choices: Choices) -> None: ...
    def compute(self, final: npt.NDArray[np.float64], threads: int) -> tuple[npt.NDArray[np.float64], ...]:
        """Legs, variables, kernel, reduced momenta (beams first) and inputs of outgoing momenta (n, n_final, 4)."""
