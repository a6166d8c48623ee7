"""The compiled parts of ampcli: the native amplitude engine, once per instruction set, and features of radiations.

The rest is in pyproject.toml.
"""

import platform

from pybind11.setup_helpers import Pybind11Extension, build_ext
from setuptools import setup

FOLDER = "ampcli/amplitudes/native"
FLAGS: dict[str, list[str]] = {"baseline": []}
if platform.machine().lower() in ("x86_64", "amd64"):
    FLAGS["avx2"] = ["-mavx2", "-mfma"]
    FLAGS["avx512"] = ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]


class ParallelBuild(build_ext):
    """All instruction sets at once."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = True


setup(
    cmdclass={"build_ext": ParallelBuild},
    ext_modules=[
        Pybind11Extension(
            f"ampcli.amplitudes.native._{name}",
            [f"{FOLDER}/{name}.cpp"],
            depends=[f"{FOLDER}/{header}.h" for header in ("algebra", "kinematics", "amplitude", "cpu")],
            cxx_std=17,
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math", *flags],
        )
        for name, flags in FLAGS.items()
    ]
    + [
        Pybind11Extension(
            "ampcli.features._radiation",
            ["ampcli/features/radiation.cpp"],
            cxx_std=17,
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math"],
        )
    ],
)
