"""Checks an installed ampcli: run by its Python, in an empty folder, far from any checkout.

    python -m venv clean && clean/bin/pip install dist/ampcli-*.whl && mkdir empty && cd empty
    ../clean/bin/python PATH/.ci/installed.py

Without torch, only files and compiled code are checked.

What ships with it is there, the compiled code agrees with itself on every instruction set, a shipped model predicts
what the exact amplitudes say, and, where plots can be drawn, the demonstration runs in small.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

MODEL = "ee-5jets"
PROCESS = "e- e+ > d d~ g g g"


def ampcli(*words: object) -> str:
    """What a command prints, by the program that was installed."""
    program = Path(sys.executable).with_name("ampcli")
    call = [str(program), *map(str, words)]
    begun = time.monotonic()
    done = subprocess.run(call, capture_output=True, text=True)
    print(f"{time.monotonic() - begun:6.1f} s  ampcli {' '.join(call[1:])}", flush=True)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"this does not hold: {what}")


def check_files() -> None:
    """Types, models, recipes, completions, headers and the library for generators."""
    import ampcli as package
    from ampcli.shipped import shipped_folder, shipped_recipes

    folder = Path(package.__file__).parent
    check(not (folder.parent / "pyproject.toml").exists(), f"{folder} is no checkout")
    check(importlib.metadata.version("ampcli") == package.__version__, "one version")
    check((folder / "py.typed").is_file(), "py.typed is there")
    registry = shipped_folder("registry")
    check(registry == folder / "shipped" / "registry", "the package holds a registry")
    check(len(shipped_recipes()) > 5, "the package holds recipes")
    check(all((folder / "library" / name).is_file() for name in ("ampcli.h", "libampcli.so")), "the library is there")
    share = Path(sys.prefix) / "share"
    for place in ("bash-completion/completions/ampcli.bash", "zsh/site-functions/_ampcli"):
        check((share / place).is_file(), f"{share / place} is there")


def check_instructions() -> None:
    """Amplitudes of the code for every instruction set that this processor has."""
    import numpy as np

    from ampcli.amplitudes.native.engine import evaluate
    from ampcli.amplitudes.native.provider import Native
    from ampcli.instructions import instruction_set
    from ampcli.kinematics import with_beams
    from ampcli.phasespace.rambo import rambo
    from ampcli.process import parse_process

    momenta = with_beams(np.ascontiguousarray(rambo(np.random.default_rng(1).random((64, 5, 4)), 1000.0)), 1000.0)
    provider = Native(parse_process(PROCESS))
    known = ("baseline", "avx2", "avx512")
    values = {
        name: evaluate(provider.line, provider.parameters, momenta, on=name)[0]
        for name in known[: known.index(instruction_set()) + 1]
    }
    for name, found in values.items():
        check(bool(np.allclose(found, values["baseline"], rtol=1e-9, atol=0.0)), f"{name} agrees with baseline")
    print(f"instruction sets: {', '.join(values)}")


def main() -> None:
    check(not any(Path().iterdir()), "the folder is empty")
    print(f"Python {sys.version.split()[0]}")
    check_files()
    check_instructions()
    if importlib.util.find_spec("torch") is None:
        check(ampcli("--version").startswith("ampcli "), "the command starts")
        print("installed: files and compiled code hold (no torch: nothing else was checked)")
        return
    findings = json.loads(ampcli("doctor", "--json"))
    check(MODEL in ampcli("registry", "list"), f"{MODEL} is listed")
    ampcli("gen", PROCESS, "events.zarr", "--points", 2000, "--y-cut", 1e-2)
    found = json.loads(ampcli("eval", MODEL, "events.zarr", "--split", "all", "--json"))
    median = found["overall"]["median_abs_delta"]
    check(median < 5e-3, f"{MODEL} is off by {median:.2%} in the median, less than 0.5 %")
    print(f"{MODEL}: off by {median:.3%} in the median")
    ampcli("predict", MODEL, "events.zarr", "predicted.npz")
    ampcli("export", "d d~ > z g g", "library")
    if "not installed" in findings["extra plots"]:
        print("no plots: no demonstration")
    else:
        ampcli("demo", "demo", "--scale", 0.001)
        check(Path("demo/plots/errors-4jets.png").is_file(), "the demonstration draws")
    print("installed: all holds")


if __name__ == "__main__":
    main()
