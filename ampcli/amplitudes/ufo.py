"""UFO models (arXiv:1108.2040): read once from their folder, known by name and digest afterwards.

A model is Python, and reading it needs Symbolica: ufo_model_loader does it in a child process, and writes JSON with
all values.  That is kept in the cache: the folder may be moved, and later commands have the model that a store names.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ampcli.amplitudes import symbolica
from ampcli.amplitudes.cache import cache_root
from ampcli.errors import AmpcliError, IntegrityError, LockedError, NotFoundError, UsageError, setting
from ampcli.extras import version_of
from ampcli.process import PARTICLES, Process, parse_process
from ampcli.records.provider import ParticleRecord

_REFERENCE = re.compile(r"[\w.+-]+@[0-9a-f]{16}")
_OURS = {particle.pdg: particle.name for particle in PARTICLES.values()}
_MODEL = "model.json"
_NO_CARD = ("full", "none")
_ALPHA_S = ("sminputs", [3])
_TINY, _TINY_NAME = 1e-9, "ampcli_tiny_mass"  # GeV


@dataclass(frozen=True)
class Model:
    """A UFO model with values of its parameters.

    Attributes:
        reference: ``NAME@DIGEST``: of its folder (and restriction card), and of its files.
        file: JSON of ufo_model_loader.
        given: values of parameters, where these are not those of the folder.
    """

    reference: str
    file: Path
    given: tuple[tuple[str, float], ...] = ()

    @property
    def key(self) -> str:
        """What tells its amplitudes from all others."""
        return f"{self.reference}/{self.file.stem}"

    @cached_property
    def _document(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.file.read_text()))
        except (OSError, ValueError) as error:
            raise IntegrityError(
                f"the cached UFO model {self.file} cannot be read: {error}",
                f"Remove {self.file.parent}, and name the model's folder again.",
            ) from None

    @cached_property
    def _values(self) -> dict[str, float]:
        """Of all parameters, those that follow from others too; real parts."""
        return {each["name"]: float(each["value"][0]) for each in self._document["parameters"]}

    @cached_property
    def parameters(self) -> dict[str, float]:
        """Those that can be set; what the restriction card makes zero is none of them."""
        if self.given:  # zeros are free no longer in the file
            return dict(self.given)
        free = [each["name"] for each in self._document["parameters"] if each["nature"] == "external"]
        return {name: self._values[name] for name in free}

    @property
    def alpha_s(self) -> str | None:
        """Which parameter is the strong coupling, by its place in cards (SMINPUTS 3)."""
        for each in self._document["parameters"]:
            place = str(each["lhablock"]).lower(), each["lhacode"]
            if each["nature"] == "external" and place == _ALPHA_S:
                return str(each["name"])
        return None

    @cached_property
    def _particles(self) -> dict[str, tuple[ParticleRecord, str]]:
        """By the names of either side in lower case, with the model's own name."""
        own = {each["name"].lower(): each for each in self._document["particles"] if _is_physical(each)}
        found: dict[str, tuple[ParticleRecord, str]] = {}
        for name, each in own.items():
            ours = _OURS.get(each["pdg_code"])
            record = ParticleRecord(
                name=ours if ours is not None and own.get(ours, each) is each else each["name"],
                pdg=each["pdg_code"],
                spin=each["spin"],
                colour=each["color"],
                charge=_number(each["charge"]),
                mass=abs(self._values[each["mass"]]),
            )
            found[name] = found[record.name.lower()] = record, each["name"]
        return found

    @cached_property
    def for_code(self) -> dict[str, Any]:
        """The model for pyamplicol, which lets no massless fermion turn into a massive one: such a one gets a mass.

        It is `_TINY`, so small that no digit of an amplitude changes.
        """
        document = copy.deepcopy(self._document)
        heavier = self._turning
        if heavier:
            tiny = {"name": _TINY_NAME, "value": [_TINY, 0.0], "nature": "external", "parameter_type": "real"}
            document["parameters"].insert(0, tiny | {"expression": None, "lhablock": _TINY_NAME, "lhacode": [1]})
        propagators = {each["particle"]: each for each in document["propagators"]}
        for each in document["particles"]:
            if abs(each["pdg_code"]) in heavier:
                each["mass"] = _TINY_NAME
                momentum, indices = ("PSlash", "2,1") if each["pdg_code"] > 0 else ("-PSlash", "1,2")
                propagators[each["name"]] |= {
                    "numerator": f"complex(0,1)*({momentum}({indices})+{_TINY_NAME}*Identity({indices}))",
                    "denominator": f"P(1)**2-{_TINY_NAME}**2",
                }
        return document

    @property
    def _turning(self) -> set[int]:
        """PDG codes of massless fermions that turn into massive ones, at one vertex or at several."""
        by_name = {each["name"]: each for each in self._document["particles"] if each["spin"] == 2}
        light = {abs(each["pdg_code"]) for each in by_name.values() if self._values[each["mass"]] == 0}
        found: set[int] = set()
        while True:
            before = len(found)
            for vertex in self._document["vertex_rules"]:
                codes = {abs(by_name[name]["pdg_code"]) for name in vertex["particles"] if name in by_name}
                if codes - light or codes & found:
                    found |= codes & light
            if len(found) == before:
                return found

    def process(self, text: str) -> Process:
        """The process of a string, with the model's particles: by its own names, or by those of ampcli.

        Raises:
            UsageError: no process of such particles, or one with a leg that no amplitude can have.
        """
        known = {name: record for name, (record, _) in self._particles.items()}
        for word in text.lower().split():
            if word in known and known[word].kind is None:
                leg = known[word]
                raise UsageError(
                    f'cannot take the process "{text}": no amplitude has {leg.name} as a leg (2 s + 1 = {leg.spin}, '
                    f"colour {leg.colour}, {leg.mass:g} GeV)",
                    "Legs are quarks, massless gluons, and particles without colour of spin 0, 1/2 or 1.",
                )
        return parse_process(text, {name: record.particle for name, record in known.items() if record.kind})

    def own_text(self, process: Process) -> str:
        """The process in the model's own names."""
        names = [
            [self._particles[leg.name.lower()][1] for leg in side] for side in (process.incoming, process.outgoing)
        ]
        return " > ".join(" ".join(side) for side in names)

    def records(self, process: Process) -> tuple[ParticleRecord, ...]:
        """Of the legs of a process, each once."""
        return tuple(self._particles[name.lower()][0] for name in dict.fromkeys(leg.name for leg in process.legs))

    def lacks(self, process: Process) -> str | None:
        """The first leg of a process that is not the model's particle of that name."""
        for leg in process.legs:
            known = self._particles.get(leg.name.lower())
            if known is None or known[0].pdg != leg.pdg or known[0].kind != leg.kind:
                return leg.name
        return None

    def with_parameters(self, changed: Mapping[str, float]) -> Model:
        """The same model with other values, and all that follows from them.

        Args:
            changed: some of `parameters`.

        Raises:
            AmpcliError: the model has no values with these.
        """
        values = self.parameters | dict(changed)
        if values == self.parameters:
            return self
        key = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
        file = self.file.with_name(f"{key}.json")
        if not file.is_file():
            card = {name: [value, 0.0] for name, value in values.items()}
            _load(self.reference, self.file, None, file, card)
        return replace(self, file=file, given=tuple(values.items()))


def find_model(text: str) -> Model:
    """The model in a folder, ``PATH`` or ``PATH-RESTRICTION``, or one that was read before, ``NAME@DIGEST``.

    Raises:
        NotFoundError: no such folder, restriction card or model.
        UsageError: a folder that holds no UFO model.
        AmpcliError: it cannot be read, or the package that reads it is not installed.
    """
    if _REFERENCE.fullmatch(text):
        file = _place(text) / _MODEL
        if not file.is_file():
            name = text.partition("@")[0]
            raise NotFoundError(
                f"the UFO model {text} is not known on this machine",
                f"Name its folder {name} once, with the files as they were: "
                "`ampcli gen PROCESS STORE --points 1 --dry-run --model FOLDER`.",
            )
        return Model(text, file)
    folder, restriction = _folder(text)
    name = folder.name if restriction is None else f"{folder.name}-{restriction}"
    reference = f"{re.sub(r'[^A-Za-z0-9_.+-]', '_', name)}@{_digest(folder, restriction)}"
    file = _place(reference) / _MODEL
    if not file.is_file():
        _load(name, folder, restriction, file, None)
    return Model(reference, file)


def _place(reference: str) -> Path:
    return cache_root() / "ufo" / version_of("ufo_model_loader", "pyamplicol") / reference


def _folder(text: str) -> tuple[Path, str | None]:
    """A model's folder, and the name of its restriction card: as MadGraph's ``import model PATH-RESTRICTION``."""
    folder, restriction = Path(text).expanduser().absolute(), None
    if not folder.is_dir() and "-" in folder.name:
        name, _, restriction = folder.name.rpartition("-")
        folder = folder.with_name(name)
    hint = f"Give {setting('model')} the folder of a UFO model, or FOLDER-NAME for its card restrict_NAME.dat."
    if not folder.is_dir():
        raise NotFoundError(f"there is no UFO model {text}", hint)
    if not (folder / "__init__.py").is_file():
        raise UsageError(f"{folder} is no UFO model: it has no __init__.py", hint)
    if restriction is not None and restriction not in _NO_CARD and not _card(folder, restriction).is_file():
        raise NotFoundError(f"{folder} has no card {_card(folder, restriction).name}", hint)
    return folder, restriction


def _card(folder: Path, restriction: str | None) -> Path:
    return folder / f"restrict_{restriction or 'default'}.dat"


def _digest(folder: Path, restriction: str | None) -> str:
    """Of the Python files and the card that decide what the model is, wherever the folder lies."""
    card = _card(folder, restriction)
    files = sorted(folder.rglob("*.py"))
    if restriction not in _NO_CARD and card.is_file():
        files.append(card)
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _load(
    name: str, source: Path, restriction: str | None, target: Path, card: Mapping[str, list[float]] | None
) -> None:
    """Read a model from a folder, or from JSON with a card of values, and write it with all that follows from them."""
    draft = target.parent / f".{target.stem}.{uuid.uuid4().hex[:8]}"
    draft.mkdir(parents=True)
    try:
        if card is not None:
            source = Path(shutil.copy(source, draft / "source.json"))
            (draft / "restrict_default.json").write_text(json.dumps(card))
        words = ["-i", str(source), "-o", str(draft / _MODEL), "-j", "compact", "-q"]
        words += [] if restriction is None else ["-r", restriction]
        with symbolica.only_one():
            done = symbolica.run("ufo_model_loader", words)
        if done.returncode != 0 or not (draft / _MODEL).is_file():
            if symbolica.lacks_licence(done):
                raise LockedError(
                    "Symbolica allows one process per user without a licence, and another one is running",
                    "Wait until it ends and try again.",
                )
            said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
            raise AmpcliError(f"the UFO model {name} cannot be read: {said}", "It has to be one that Python 3 imports.")
        (draft / _MODEL).rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_physical(particle: Mapping[str, Any]) -> bool:
    return not particle["ghost_number"] and not particle["goldstoneboson"]


def _number(text: str | float) -> float:
    """A charge, which may be written as a fraction."""
    numerator, _, denominator = str(text).partition("/")
    return round(float(numerator) / float(denominator or 1), 9)
