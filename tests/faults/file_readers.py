"""Files of tensors, events and models that fuzzing feeds (`faults.readers`)."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tarfile
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from faults import file_mutators, mutators
from faults.document_readers import model_files
from faults.mutators import Run, pick
from faults.starts import Starts

_ROOT = Path(__file__).parents[2]


def models(starts: Starts) -> Run:
    """Models whose manifest, weights and probe are damaged but fit each other's checksums: verified, and asked."""
    import torch
    from safetensors.numpy import load, save

    from ampcli.inference.load import load_folder
    from ampcli.inference.probe import check_probe
    from ampcli.registry.manifest import read_manifest
    from ampcli.registry.storage import verify
    from ampcli.seal import sealed

    sources = [p.parent for p in model_files(starts, "registry/*/1/weights.safetensors")]
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
                    data = save(file_mutators.arrays_mutated(load(data), rng))
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
        Path("e.npz").write_bytes(file_mutators.npz_mutated(arrays, rng))
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
        Path("a.tar").write_bytes(file_mutators.tar_mutated(files, rng))
        try:
            import_model(Path("registry"), Path("a.tar"), check_probe)
        except BaseException:
            assert not list(Path("registry").rglob("*")), "a refused archive left something"
            raise
        assert sorted(path.name for path in Path.cwd().iterdir()) == ["a.tar", "registry"]
        assert not [path for path in Path("registry").rglob("*") if path.is_symlink()]

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
