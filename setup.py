"""What is built: the compiled parts, each once per instruction set, and copies of trained models and recipes.

Compiled are Python modules, and the library that generators link.  The rest is in pyproject.toml.
"""

import platform
import re
import shutil
from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension, build_ext
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

FLAGS: dict[str, list[str]] = {"baseline": []}
LANES = {"baseline": 2, "avx2": 4, "avx512": 8}
if platform.machine().lower() in ("x86_64", "amd64"):
    FLAGS["avx2"] = ["-mavx2", "-mfma"]
    FLAGS["avx512"] = ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]

#: Features and phase space do not depend on the processor: no instruction set may contract a product and a sum.
PACKAGES = {
    "ampcli.amplitudes.native": [],
    "ampcli.features.compiled": ["-ffp-contract=off"],
    "ampcli.phasespace.compiled": ["-ffp-contract=off", "-Wno-psabi"],  # no vector crosses a library
    "ampcli.training.compiled": [],
    "ampcli.inference.compiled": ["-Wno-psabi"],  # no vector crosses a library
}

#: Engines of the library with flags of their own; each is compiled once per instruction set.
ENGINES: dict[str, list[str]] = {
    "ampcli/library/exact.cpp": [],
    # no vector crosses a unit; a name that is too long is cut, and then not found
    "ampcli/library/surrogate.cpp": ["-Wno-psabi", "-Wno-format-truncation"],
}

#: The rest of the library.
PLAIN = ["ampcli/library/library.cpp", "ampcli/library/umami.cpp", "ampcli/library/blha.cpp"]

#: Its symbols that others see: no engine, and nothing of C++.
SHOWN = "ampcli/library/exported.map"

LINKED = ["-pthread"]
if platform.system() == "Linux":
    LINKED += ["-ldl", "-Wl,-soname,libampcli.so", f"-Wl,--version-script={SHOWN}"]

LIBRARY = "ampcli.library.libampcli"
OPTIMISED = ["-O3", "-fno-math-errno", "-fno-trapping-math"]
HEADERS = [
    str(header)
    for folder in [*PACKAGES, "ampcli.library", "ampcli.simd"]
    for header in Path(folder.replace(".", "/")).glob("*.h")
]


#: Folders of the root that wheels have in `ampcli.shipped`; a checkout's are used where they are.
SHIPPED = ("registry", "recipes")

#: Where shells look for completions, below the folder of an environment.
COMPLETIONS = {
    "share/bash-completion/completions": ["completions/ampcli.bash"],
    "share/zsh/site-functions": ["completions/_ampcli"],
    "share/fish/vendor_completions.d": ["completions/ampcli.fish"],
}


def version() -> str:
    """That of the package, which cannot be imported yet."""
    found = re.search(r'^__version__ = "(.+)"$', Path("ampcli/__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


class BuildPython(build_py):
    """Python files, and copies of the shipped folders."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self._copies().items():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        copies = {} if self.editable_mode else self._copies()
        return [*super().get_outputs(include_bytecode), *map(str, copies.values())]

    def _copies(self) -> dict[Path, Path]:
        shipped = Path(self.build_lib) / "ampcli" / "shipped"
        files = (file for folder in SHIPPED for file in sorted(Path(folder).rglob("*")))
        return {file: shipped / file for file in files if file.is_file() and not file.name.startswith(".")}


class Build(build_ext):
    """All instruction sets at once, and the library, which is no Python module."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = True

    def get_ext_filename(self, fullname: str) -> str:
        if fullname in (LIBRARY, LIBRARY.rpartition(".")[2]):
            return fullname.replace(".", "/") + ".so"
        return str(super().get_ext_filename(fullname))

    def build_extension(self, ext: Extension) -> None:
        if ext.name != LIBRARY:
            super().build_extension(ext)
            return
        common = ["-std=c++17", "-Wall", "-g0", "-fvisibility=hidden", *OPTIMISED]
        plain = [*common, f'-DAMPCLI_PACKAGE_VERSION="{version()}"']
        objects = self._compiled(PLAIN, plain, "plain")
        for name, flags in FLAGS.items():
            macros = [f"-DAMPCLI_SPACE=ampcli_{name}", f"-DAMPCLI_SET={name}", f"-DAMPCLI_LANES={LANES[name]}"]
            for source, own in ENGINES.items():
                objects += self._compiled([source], [*common, *flags, *own, *macros], name)
        target = self.get_ext_fullpath(ext.name)
        self.compiler.link_shared_object(
            objects,
            target,
            extra_postargs=LINKED,
            target_lang="c++",
        )

    def _compiled(self, sources: list[str], flags: list[str], name: str) -> list[str]:
        folder = str(Path(self.build_temp) / "library" / name)
        return list(self.compiler.compile(sources, output_dir=folder, extra_postargs=flags, depends=HEADERS))


def module(package: str, name: str) -> Pybind11Extension:
    folder = Path(package.replace(".", "/"))
    return Pybind11Extension(
        f"{package}._{name}",
        [str(folder / f"{name}.cpp")],
        depends=HEADERS,
        cxx_std=17,
        extra_compile_args=[*OPTIMISED, *FLAGS[name], *PACKAGES[package]],
    )


setup(
    cmdclass={"build_py": BuildPython, "build_ext": Build},
    data_files=list(COMPLETIONS.items()),
    ext_modules=[
        *(module(package, name) for package in PACKAGES for name in FLAGS),
        Extension(LIBRARY, [*PLAIN, *ENGINES], depends=[*HEADERS, SHOWN]),
    ],
)
