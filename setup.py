"""The compiled parts of ampcli, each once per instruction set: exact amplitudes, features of radiations, phase space.

The rest is in pyproject.toml.
"""

import platform
from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension, build_ext
from setuptools import setup

FLAGS: dict[str, list[str]] = {"baseline": []}
if platform.machine().lower() in ("x86_64", "amd64"):
    FLAGS["avx2"] = ["-mavx2", "-mfma"]
    FLAGS["avx512"] = ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]

#: Features and phase space do not depend on the processor: no instruction set may contract a product and a sum.
PACKAGES = {
    "ampcli.amplitudes.native": [],
    "ampcli.features.compiled": ["-ffp-contract=off"],
    "ampcli.phasespace.compiled": ["-ffp-contract=off", "-Wno-psabi"],  # no vector crosses a library
}


class ParallelBuild(build_ext):
    """All instruction sets at once."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = True


def extension(package: str, name: str) -> Pybind11Extension:
    folder = Path(package.replace(".", "/"))
    return Pybind11Extension(
        f"{package}._{name}",
        [str(folder / f"{name}.cpp")],
        depends=[str(header) for header in sorted(folder.glob("*.h"))],
        cxx_std=17,
        extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math", *FLAGS[name], *PACKAGES[package]],
    )


setup(
    cmdclass={"build_ext": ParallelBuild},
    ext_modules=[extension(package, name) for package in PACKAGES for name in FLAGS],
)
