"""What fuzzing feeds: for every kind of input, real ones, how they are changed, and the functions that read them.

A function here loads what it needs and returns another, which makes one input from random numbers and has it read.
It runs in an empty folder.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from faults import mutators
from faults.mutators import pick
from faults.starts import Starts

Run = Callable[[np.random.Generator], object]

_ROOT = Path(__file__).parents[2]
_PROCESSES = [
    "e- e+ > d d~ g", "e- e+ > u u~ g g g", "d d~ > z g g", "p p > z j j", "g g > g g g", "u d~ > w+ g", "g g > t t~",
    "d d~ > d d~ g", "e- e+ > mu- mu+ a", "p p > j j", "d d~ > ve ve~ g", "pp > z j", "g g > h g",
]  # fmt: skip
_WORDS = [
    *(
        "e-",
        "e+",
        "mu-",
        "mu+",
        "ta-",
        "ta+",
        "ve",
        "ve~",
        "vm",
        "d",
        "u",
        "s",
        "c",
        "b",
        "t",
        "g",
        "a",
        "z",
        "w+",
        "h",
    ),
    *(
        "d~",
        "u~",
        "s~",
        "c~",
        "b~",
        "t~",
        "w-",
        "p",
        "j",
        "l+",
        "l-",
        "vl",
        ">",
        "/",
        "$",
        "$$",
        "@1",
        "QED=2",
        "QCD<=3",
    ),
    *(",", "[virt=QCD]", "(", ")", "{L}", "|", "all"),
]


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

    real = [(p.parent.parent.name, p.read_bytes()) for p in _files(starts, "registry/*/1/manifest.json")]
    known = [p.read_bytes() for p in _files(starts, "registry/*/aliases.json")]

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


def models(starts: Starts) -> Run:
    """Models whose manifest, weights and probe are damaged but fit each other's checksums: verified, and asked."""
    import torch
    from safetensors.numpy import load, save

    from ampcli.inference.load import load_folder
    from ampcli.inference.probe import check_probe
    from ampcli.registry.manifest import read_manifest
    from ampcli.registry.storage import verify
    from ampcli.seal import sealed

    sources = [p.parent for p in _files(starts, "registry/*/1/weights.safetensors")]
    final = load((sources[0] / "probe.safetensors").read_bytes())["momenta"][:4]

    def run(rng: np.random.Generator) -> None:
        source = pick(rng, sources)
        folder = Path("registry") / source.parent.name / "1"
        shutil.rmtree("registry", ignore_errors=True)
        shutil.copytree(source, folder)
        document = json.loads((folder / "manifest.json").read_bytes())
        for file, entry in (("weights", "weights_sha256"), ("probe", "probe_sha256")):
            if rng.random() < 0.5:
                data = (folder / f"{file}.safetensors").read_bytes()
                if rng.random() < 0.7:
                    data = save(mutators.arrays_mutated(load(data), rng))
                else:
                    data = mutators.bytes_mutated(data, rng)
                (folder / f"{file}.safetensors").write_bytes(data)
                document[entry] = hashlib.sha256(data).hexdigest()
        if rng.random() < 0.5:
            document = mutators.document_mutated(document, rng)
        if isinstance(document, dict):
            document = sealed(document)
        (folder / "manifest.json").write_text(json.dumps(document))
        manifest = read_manifest(folder)
        try:
            verify(folder, check_probe)
        finally:
            load_folder(folder, manifest, torch.device("cpu")).predict(final)

    return run


def event_files(starts: Starts) -> Run:
    """Les Houches event files of many generators, plain or packed."""
    from ampcli.events.files import open_events
    from ampcli.events.intake import Intake
    from ampcli.process import parse_process

    real = [path.read_bytes()[:6000] for path in sorted((_ROOT / "tests" / "reference" / "lhe").glob("*.lhe"))]
    ours = _lepton_events()
    known = parse_process("e- e+ > d d~ g")

    def run(rng: np.random.Generator) -> None:
        data = mutators.bytes_mutated(pick(rng, [ours, ours, *real]), rng, real)
        if rng.random() < 0.1:
            data = mutators.bytes_mutated(gzip.compress(data, 1), rng) if rng.random() < 0.5 else gzip.compress(data, 1)
        path = Path("e.lhe")
        path.write_bytes(data)
        choice = {"skip_bad": rng.random() < 0.5, "repair": rng.random() < 0.5}
        intake = Intake(open_events(path, known, bool(rng.random() < 0.5)), (known,), **choice)
        for batch in intake.batches(3):
            assert np.isfinite(batch.momenta).all()
        _ = intake.text, intake.document

    return run


def _lepton_events() -> bytes:
    """Four events e- e+ > d d~ g."""
    from ampcli.kinematics import with_beams
    from ampcli.phasespace.rambo import rambo

    final = np.ascontiguousarray(rambo(np.random.default_rng(5).random((4, 3, 4)), 1000.0))
    text = '<LesHouchesEvents version="3.0">\n<header>\n</header>\n<init>\n11 -11 5e2 5e2 0 0 0 0 3 1\n'
    text += "1. 1. 1 1\n</init>\n"
    for event in with_beams(final, 1000.0):
        text += "<event>\n5 1 1.0 91.188 7.5e-3 0.118\n"
        for place, (code, (e, x, y, z)) in enumerate(zip((11, -11, 1, -1, 21), event, strict=True)):
            text += f"{code} {-1 if place < 2 else 1} 0 0 0 0 {x:.16e} {y:.16e} {z:.16e} {e:.16e} 0. 0. 9.\n"
        text += "<rwgt>\n<wgt id='1'> 1.0 </wgt>\n</rwgt>\n</event>\n"
    return (text + "</LesHouchesEvents>\n").encode()


def npz_files(starts: Starts) -> Run:
    """Momenta and weights in npz files."""
    from ampcli.events.intake import Intake
    from ampcli.events.npz import NpzEvents
    from ampcli.kinematics import with_beams
    from ampcli.phasespace.rambo import rambo
    from ampcli.process import parse_process

    final = np.ascontiguousarray(rambo(np.random.default_rng(5).random((4, 3, 4)), 1000.0))
    known = parse_process("e- e+ > d d~ g")
    arrays = {"momenta": with_beams(final, 1000.0), "event_weight": np.ones(4)}

    def run(rng: np.random.Generator) -> None:
        Path("e.npz").write_bytes(mutators.npz_mutated(arrays, rng))
        for batch in Intake(NpzEvents.open(Path("e.npz"), known), (known,), bool(rng.random() < 0.5)).batches(3):
            assert np.isfinite(batch.momenta).all()

    return run


def archives(starts: Starts) -> Run:
    """Archives of models, imported: nothing appears outside of the registry, and nothing of what is refused."""
    from ampcli.inference.probe import check_probe
    from ampcli.registry.archive import import_model

    files = {}
    with tarfile.open(starts("archive") / "c.tar") as tar:
        for member in tar.getmembers():
            extracted = tar.extractfile(member)
            assert extracted is not None
            files[member.name] = extracted.read()

    def run(rng: np.random.Generator) -> None:
        shutil.rmtree("registry", ignore_errors=True)
        Path("a.tar").write_bytes(mutators.tar_mutated(files, rng))
        try:
            import_model(Path("registry"), Path("a.tar"), check_probe)
        except BaseException:
            assert not list(Path("registry").rglob("*")), "a refused archive left something"
            raise
        assert sorted(path.name for path in Path.cwd().iterdir()) == ["a.tar", "registry"]
        assert not [path for path in Path("registry").rglob("*") if path.is_symlink()]

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
    from ampcli.channels.record import read_sample_plan
    from ampcli.channels.sample import open_sample
    from ampcli.seal import sealed

    whole = _copied(starts("set") / "s.zarr")
    plan = next(path for path in whole.iterdir() if path.suffix == ".json")

    def run(rng: np.random.Generator) -> None:
        with _changed(plan, rng, sealed):
            read_sample_plan(whole)
            open_sample(whole)

    return run


def bundles(starts: Starts) -> Run:
    """Bundles of exported libraries, read by Python and by the library (with a sum that fits, most of them)."""
    from c_library import CError, Model

    from ampcli.amplitudes.providers import make_provider
    from ampcli.library.bundle import read_bundle, write_bundle
    from ampcli.library.contents import exact_content
    from ampcli.process import parse_process

    provider = make_provider("native", parse_process("e- e+ > d d~ g"))
    data = write_bundle(exact_content(provider))
    final = np.ones((2, 5, 4))

    def run(rng: np.random.Generator) -> None:
        changed = bytearray(mutators.bytes_mutated(data, rng))
        if len(changed) > 16 and rng.random() < 0.8:
            changed[12:16] = zlib.crc32(changed[16:]).to_bytes(4, "little")
        with suppress(CError, UnicodeDecodeError), Model(bytes(changed)) as model:
            model.info()
            model.evaluate(final)
        read_bundle(bytes(changed))

    return run


#: By name: how many inputs, and what makes and reads them.
READERS: dict[str, tuple[int, Callable[[Starts], Run]]] = {
    "process strings": (35_000, processes),
    "numbers": (5_000, numbers),
    "TOML": (15_000, configurations),
    "manifests and aliases": (14_000, manifests),
    "models": (3_000, models),
    "LHE": (10_000, event_files),
    "npz": (8_000, npz_files),
    "archives": (3_000, archives),
    "stores": (5_000, stores),
    "unfinished stores": (400, unfinished_stores),
    "checkpoints": (3_000, checkpoints),
    "samples": (2_000, samples),
    "bundles": (3_000, bundles),
}


def _files(starts: Starts, pattern: str) -> list[Path]:
    return sorted([*starts("registry").glob(pattern), *starts("set").glob(pattern)])


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
