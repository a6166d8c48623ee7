"""Texts and documents that fuzzing feeds (`faults.readers`): process strings, options, records of stores and models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from faults import mutators
from faults.mutators import Run, pick
from faults.starts import Starts

_ROOT = Path(__file__).parents[2]
_PROCESSES = [
    "e- e+ > d d~ g", "e- e+ > u u~ g g g", "d d~ > z g g", "p p > z j j", "g g > g g g", "u d~ > w+ g", "g g > t t~",
    "d d~ > d d~ g", "e- e+ > mu- mu+ a", "p p > j j", "d d~ > ve ve~ g", "pp > z j", "g g > h g",
]  # fmt: skip
_WORDS = """
    e- e+ mu- mu+ ta- ta+ ve ve~ vm d u s c b t g a z w+ h d~ u~ s~ c~ b~ t~ w- p j l+ l- vl
    > / $ $$ @1 QED=2 QCD<=3 , [virt=QCD] ( ) {L} | all
""".split()  # noqa: SIM905 (a list of so many)


def processes(starts: Starts) -> Run:
    """Process strings: read, expanded with multiparticles, and written again."""
    from ampcli.channels.expansion import expand, key_of
    from ampcli.channels.multiparticles import used
    from ampcli.process import parse_process

    definitions = {"p": ("g", "d", "u", "d~", "u~"), "j": ("g", "d", "u", "d~", "u~"), "l+": ("e+", "mu+")}

    def run(rng: np.random.Generator) -> None:
        text = mutators.words_mutated(pick(rng, _PROCESSES), rng, _WORDS)
        if used(text, definitions):
            for process in expand(text, definitions)[:20]:
                assert parse_process(str(process)) == process
            return
        process = parse_process(text)
        assert parse_process(str(process)) == process
        key_of(process)
        assert len(process.legs) == process.n_external

    return run


def numbers(starts: Starts) -> Run:
    """Counts and named values on the command line."""
    from ampcli.cli.numbers import parse_count, parse_parameters

    real = ["500k", "2M", "1e6", "alpha_s=0.13", "m_z=91.188", "0.03:1e-3", "64,64"]

    def run(rng: np.random.Generator) -> None:
        text = mutators.bytes_mutated(pick(rng, real).encode(), rng).decode(errors="replace")
        if rng.random() < 0.5:
            assert parse_count("--points", text) >= 0
        else:
            parse_parameters("--parameter", [text, pick(rng, real)])

    return run


def configurations(starts: Starts) -> Run:
    """TOML files of options, of several commands: read, and given to the options."""
    import tomllib

    import tomli_w
    import typer

    from ampcli.cli.app import build_app

    application: Any = typer.main.get_command(build_app())
    words = {"gen": ["e- e+ > d d~ g", "s"], "train": ["s"], "features": ["s", "fame"], "eval": ["m", "s"]}
    words |= {"predict": ["m", "s", "o"], "export": ["s", "o"], "surrogate": ["d d~ > z g"]}
    written = [
        b'[gen]\npoints = "500k"\nsqrt_s = 500.0\nparameter = ["alpha_s=0.13", "m_z=91.2"]\nresume = true\n',
        b'[train]\nname = "m"\nmodel = "fame+"\nepochs = 3\nhidden = "64,64"\nlearning_rate = 1e-3\n',
        b'seed = 7\nworkers = 2\n[gen]\n"y-cut" = 0.01\nstore = """a\nb"""\n[[x]]\nd = 1979-05-27T07:32:00Z\n',
        b'[surrogate]\nevents = "1e8"\ntolerance = "0.03:1e-3"\n[predict]\nskip_bad = true\nthreads = 1\n',
        next(starts("registry").glob("s.zarr/.ampcli/gen.toml")).read_bytes(),
        *(path.read_bytes() for path in sorted((_ROOT / "recipes").glob("*.toml"))[:5]),
    ]

    def run(rng: np.random.Generator) -> None:
        data = pick(rng, written)
        if rng.random() < 0.6:
            with suppress(TypeError, ValueError, AttributeError):  # what TOML cannot hold
                data = tomli_w.dumps(mutators.document_mutated(tomllib.loads(data.decode()), rng)).encode()
        else:
            data = mutators.bytes_mutated(data, rng, written)
        if rng.random() < 0.02:
            data += pick(rng, [b"a" + b".a" * 5000, b"[" * 5000, b"a = " + b"[" * 5000 + b"]" * 5000, b"a={" * 2000])
        Path("c.toml").write_bytes(data)
        name = pick(rng, sorted(words))
        with suppress(typer.TyperException):  # of values that are not those of an option
            application.commands[name].make_context(name, [*words[name], "--config", "c.toml"])

    return run


def manifests(starts: Starts) -> Run:
    """Manifests of models, ensembles, sets, most of them with a seal that fits."""
    from ampcli.registry.resolve import aliases
    from ampcli.registry.sets import read_entry
    from ampcli.seal import sealed

    real = [(p.parent.parent.name, p.read_bytes()) for p in model_files(starts, "registry/*/1/manifest.json")]
    known = [p.read_bytes() for p in model_files(starts, "registry/*/aliases.json")]

    def run(rng: np.random.Generator) -> None:
        if rng.random() < 0.15:
            Path("registry/m").mkdir(parents=True, exist_ok=True)
            Path("registry/m/aliases.json").write_bytes(mutators.json_mutated(pick(rng, known), rng, sealed))
            assert all(type(version) is int for version in aliases(Path("registry"), "m").values())
            return
        name, data = pick(rng, real)
        folder = Path("registry") / name / "1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_bytes(mutators.json_mutated(data, rng, sealed))
        entry = read_entry(folder)
        assert isinstance(entry.reference, str)
        assert json.loads(json.dumps(entry.document)) is not None

    return run


def stores(starts: Starts) -> Run:
    """The metadata of finished stores, most of them with a seal that fits: opened, and all of it read."""
    from ampcli.seal import sealed
    from ampcli.store.features import stored_block
    from ampcli.store.reader import open_store

    whole = _copied(starts("registry") / "s.zarr")
    names = ["zarr.json", "features/fame/zarr.json", ".ampcli/plan.json", "momenta/zarr.json", "amplitude/zarr.json"]
    names += ["features/zarr.json", "features/fame/recoil/zarr.json", ".ampcli/parts/000000.json", "weight/zarr.json"]

    def run(rng: np.random.Generator) -> None:
        with _changed(whole / pick(rng, names[:3] * 3 + names), rng, sealed):
            store = open_store(whole)
            for name in store.plan.arrays:
                store.read(name, slice(0, 5))
            _ = store.tried, store.sqrt_s, store.y_cut, store.split_rows("test")
            stored_block(store, "fame")
            store.read("features/fame/recoil", slice(0, 5))

    return run


def unfinished_stores(starts: Starts) -> Run:
    """Any file of an unfinished store: generated to the end."""
    from ampcli.generation.generate import GenerationRequest, generate, prepare
    from ampcli.generation.lepton_points import LeptonSettings
    from ampcli.seal import sealed

    source = starts("parts") / "s.zarr"
    names = [str(p.relative_to(source)) for p in sorted(source.rglob("*")) if p.is_file() and p.stat().st_size < 20_000]

    def run(rng: np.random.Generator) -> None:
        whole = _copied(source)
        file = whole / pick(rng, [name for name in names if not name.endswith((".lock", ".toml"))])
        if file.suffix == ".json":
            file.write_bytes(mutators.json_mutated(file.read_bytes(), rng, lambda d: _sealed_inside(d, sealed)))
        else:
            file.write_bytes(mutators.bytes_mutated(file.read_bytes(), rng))
        request = GenerationRequest("e- e+ > d d~ g", whole, 3000, LeptonSettings(1000.0, 0.01), 1)
        generate(prepare(request), resume=True)

    return run


def checkpoints(starts: Starts) -> Run:
    """Checkpoints of trainings."""
    import torch

    from ampcli.training.checkpoint import load_checkpoint

    data = next(starts("checkpoint").glob("registry/.training/m/*.safetensors")).read_bytes()
    length = 8 + int.from_bytes(data[:8], "little")

    def run(rng: np.random.Generator) -> None:
        if rng.random() < 0.5:
            header = mutators.json_mutated(data[8:length], rng)
            changed = len(header).to_bytes(8, "little") + header + data[length:]
        else:
            changed = mutators.bytes_mutated(data, rng)
        Path("c.safetensors").write_bytes(changed)
        load_checkpoint(Path("c.safetensors"), torch.device("cpu"))

    return run


def samples(starts: Starts) -> Run:
    """Plans of samples of many channels."""
    from ampcli.channels.record import SAMPLE, read_sample_plan
    from ampcli.channels.sample import open_sample
    from ampcli.seal import sealed

    whole = _copied(starts("set") / "s.zarr")
    plan = whole / SAMPLE

    def run(rng: np.random.Generator) -> None:
        with _changed(plan, rng, sealed):
            read_sample_plan(whole)
            open_sample(whole)

    return run


def _copied(source: Path) -> Path:
    target = Path.cwd() / source.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


@contextmanager
def _changed(file: Path, rng: np.random.Generator, sealed: Any) -> Iterator[None]:
    """A JSON file with changes, for a while."""
    whole = file.read_bytes()
    file.write_bytes(mutators.json_mutated(whole, rng, lambda document: _sealed_inside(document, sealed)))
    try:
        yield
    finally:
        file.write_bytes(whole)


def _sealed_inside(document: dict[str, Any], sealed: Any) -> dict[str, Any]:
    """Seals of a document, and of what Zarr keeps of ampcli's among its attributes, that fit."""
    if "seal" in document:
        return dict(sealed(document))
    attributes = document.get("attributes")
    if isinstance(attributes, dict):
        if isinstance(inside := attributes.get("ampcli"), dict):
            if isinstance(plan := inside.get("plan"), dict) and "seal" in plan:
                inside["plan"] = sealed(plan)
            attributes["ampcli"] = sealed(inside)
        elif "seal" in attributes:
            document["attributes"] = sealed(attributes)
    return document


def model_files(starts: Starts, pattern: str) -> list[Path]:
    """Files of the registries that trials start from: models, ensembles, sets."""
    return sorted([*starts("registry").glob(pattern), *starts("set").glob(pattern)])
