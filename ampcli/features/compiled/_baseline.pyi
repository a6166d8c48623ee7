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
        spectator: int,
        extended: bool,
        orient: bool,
        canonical: bool,
        coupling: float,
    ) -> None: ...

class Step:
    def __init__(
        self,
        *,
        last_gluon: int,
        rank: int,
        candidates: list[tuple[int, int]],
        jets: list[int],
        massive: list[bool],
        gluon: list[bool],
        string: tuple[int, int] | None = None,
        numerator: int = 0,
    ) -> None: ...

def task(
    *,
    steps: list[Step],
    identical: list[list[int]],
    exchangeable: list[list[int]],
    columns: int,
    choices: Choices,
) -> bytes: ...
def compute(task: bytes, final: npt.NDArray[np.float64], threads: int) -> tuple[npt.NDArray[np.float64], ...]: ...
