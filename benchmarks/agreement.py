"""Native amplitudes against pyamplicol, point by point.

    python benchmarks/agreement.py [--points 2000] [--gluons 4] [PROCESS ...]

Every process that the native engine covers, up to so many gluons, at random points of flat phase space at 1 TeV whose
partons all have s_ij > 1e-4 s.  pyamplicol generates code for each process once (seconds to minutes; it is kept).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from ampcli.amplitudes.providers import make_provider
from ampcli.kinematics import FloatArray, min_invariant, with_beams
from ampcli.phasespace.rambo import rambo, with_masses
from ampcli.process import Process, parse_process

SQRT_S = 1000.0


def processes(most: int) -> list[str]:
    """d-type and u-type quark lines with up to `most` gluons."""
    names = []
    for n in range(most + 1):
        for q in "du":
            names.append(f"e- e+ > {q} {q}~" + " g" * n)
            if n > 0:
                names.append(f"{q} {q}~ > z" + " g" * n)
                names.append(f"{q} g > z {q}" + " g" * (n - 1))
                names.append(f"{q}~ g > z {q}~" + " g" * (n - 1))
            if n > 1:
                names.append(f"g g > z {q} {q}~" + " g" * (n - 2))
    return names


def sample(process: Process, points: int, seed: int) -> FloatArray:
    """Flat points (n, n_external, 4); a Z gets its mass by scaling all three-momenta (so the Z is not flat)."""
    rng = np.random.default_rng(seed)
    found: list[FloatArray] = []
    while sum(map(len, found)) < points:
        final = np.ascontiguousarray(rambo(rng.random((points, process.n_final, 4)), SQRT_S))
        found.append(final[min_invariant(final) > 1e-4 * SQRT_S**2])
    final = np.concatenate(found)[:points]
    return with_beams(with_masses(final, process.final_masses), SQRT_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--gluons", type=int, default=3, help="the most gluons (4 generates for minutes)")
    parser.add_argument("process", nargs="*")
    given = parser.parse_args()
    print(f"{'process':28}{'points':>8}{'median':>10}{'largest':>10}   |native / pyamplicol - 1|", flush=True)
    for name in given.process or processes(given.gluons):
        process = parse_process(name)
        momenta = sample(process, given.points, seed=len(name))
        started = time.perf_counter()
        theirs = make_provider("pyamplicol", process).evaluate(momenta)
        seconds = time.perf_counter() - started
        difference = np.abs(make_provider("native", process).evaluate(momenta) / theirs - 1)
        row = f"{name:28}{given.points:8}{np.median(difference):10.1e}{difference.max():10.1e}"
        print(f"{row}   ({seconds:.0f} s in pyamplicol)", flush=True)


if __name__ == "__main__":
    main()
