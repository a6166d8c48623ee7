"""Which amplitudes of pyamplicol 1.0 are right: classes of processes (docs/amplitudes.md, `ampcli.amplitudes.check`).

What goes wrong in it (its built-in Standard Model of version 1.0.1):

- It counts one electroweak coupling for every colourless leg, and averages over two states of every colourless incoming
  one.  Without a coloured leg there are two couplings less, and W and Z have three states, H and neutrinos one.  Known
  factors: `normalisation` undoes them.
- There is no neutrino on the way from one vertex to another, and no Z neutrino neutrino vertex: diagrams are missing.
- A b quark does not turn into a top quark (a top quark does turn into a b): diagrams are missing.
- The vertex of four Higgs bosons is wrong.
- W exchange between two quark lines is missing, for which there is no amplitude at all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ampcli.amplitudes.standard_model import Constants
from ampcli.errors import UsageError, setting
from ampcli.process import Process


@dataclass(frozen=True)
class ProcessClass:
    """Processes that are right or wrong together.

    Attributes:
        name: what they are, in words.
        examples: some that were compared with the trees.
        fault: why pyamplicol's amplitudes of the class are wrong; None: they are right.
        mixed: some have the fault and some have not: each has to be compared itself.
    """

    name: str
    examples: tuple[str, ...]
    fault: str | None = None
    mixed: bool = False


_MISSING = "diagrams with a neutrino between two vertices are missing"

#: In the order in which they are tried: a process belongs to the first class whose condition it fulfils.
CLASSES = {
    "neutrino": ProcessClass(
        "neutrinos beside photons, W, Z or other leptons, or incoming",
        ("u d~ > e+ ve a", "u d~ > e+ ve z", "e- e+ > mu- vm~ w+", "e- e+ > u d~ mu- vm~"),
        _MISSING,
    ),
    "lepton and W": ProcessClass(
        "charged leptons beside W bosons",
        ("e- e+ > w+ w-", "e- e+ > w+ w- a", "e- e+ > w+ w- h", "u d~ > w+ e- e+"),
        _MISSING,
    ),
    "three Higgs": ProcessClass(
        "three or more Higgs bosons",
        ("h h > h h", "z z > h h h", "e- e+ > z h h h"),
        "the vertex of four Higgs bosons is wrong",
    ),
    "b and t": ProcessClass(
        "b quarks beside two W bosons, or beside a top quark and a W",
        ("b b~ > w+ w-", "t b~ > w+ z", "t b~ > w+ g"),
        "diagrams in which a b quark turns into a top quark are missing",
        mixed=True,
    ),
    "lepton pair of a W": ProcessClass(
        "quarks, gluons, Higgs bosons, and one outgoing charged lepton with its neutrino",
        ("u d~ > e+ ve", "u d~ > e+ ve g", "u d~ > e+ ve g g", "u d~ > e+ ve h"),
    ),
    "colourless": ProcessClass(
        "no quarks and gluons",
        ("e- e+ > mu- mu+", "e- e+ > e- e+", "e- e+ > a a", "e- e+ > z h", "e- e+ > mu- mu+ a", "w+ w- > w+ w-"),
    ),
    "QCD": ProcessClass(
        "quarks and gluons only",
        ("g g > g g g", "u u~ > u u~", "u u~ > t t~", "g g > t t~", "u u > u u g", "u u~ > u u~ u u~"),
    ),
    "one quark line": ProcessClass(
        "one quark line, gluons, and photons, Z, W, H, charged leptons",
        ("u u~ > w+ w-", "u u~ > z h", "u d~ > w+ z g", "e- e+ > t t~ h", "u u~ > e- e+ mu- mu+"),
    ),
    "several quark lines": ProcessClass(
        "several quark lines, gluons, and photons, Z, W, H, charged leptons, leading in alpha_s",
        ("u u > u u z", "u u > u d w+", "u u~ > t t~ h", "u u~ > d d~ e- e+", "e- e+ > u u~ u u~"),
    ),
}


def class_of(process: Process) -> ProcessClass:
    """The class of a process."""
    return CLASSES[_key(process)]


def _key(process: Process) -> str:
    names = Counter(leg.name for leg in process.legs)
    codes = [abs(leg.pdg) for leg in process.legs]
    neutrinos = sum(code in (12, 14, 16) for code in codes)
    charged = sum(code in (11, 13, 15) for code in codes)
    quarks = sum(code <= 6 for code in codes)
    if neutrinos:
        outgoing = sum(leg.kind == "lepton" for leg in process.outgoing)
        alone = charged == neutrinos == 1 and outgoing == 2 and quarks and not names["a"] and not {23, 24} & set(codes)
        if not alone:
            return "neutrino"
    if charged and 24 in codes:
        return "lepton and W"
    bosons = names["w+"] + names["w-"] + neutrinos  # W bosons, or what one turned into
    if names["b"] + names["b~"] and (bosons >= 2 or (bosons and names["t"] + names["t~"])):
        return "b and t"
    if names["h"] >= 3:
        return "three Higgs"
    if not quarks and not names["g"]:
        return "colourless"
    if quarks + names["g"] == process.n_external:
        return "QCD"
    if neutrinos:
        return "lepton pair of a W"
    return "one quark line" if quarks == 2 else "several quark lines"


def normalisation(process: Process) -> float:
    """The right |M|^2 over pyamplicol's, where its diagrams are right; 1 for massless coloured beams, and others."""
    factor = 1.0
    for leg in process.incoming:
        if leg.kind == "scalar" or abs(leg.pdg) in (12, 14, 16):
            factor *= 2.0
        elif leg.kind == "vector" and leg.mass:
            factor *= 2.0 / 3.0
    if not any(leg.kind in ("quark", "antiquark", "gluon") for leg in process.legs):
        factor /= (8.0 * math.pi * Constants().alpha_ew) ** 2
    return factor


def refusal(process: Process, fault: str) -> UsageError:
    """The error that says why an amplitude of pyamplicol is not taken."""
    return UsageError(
        f'pyamplicol\'s amplitude of "{process}" ({class_of(process).name}) is not right: {fault}',
        f"docs/amplitudes.md lists the processes that are; {setting('unchecked')} takes it as it "
        "is, and marks the store.",
    )


def marks(options: Mapping[str, Any]) -> dict[str, str]:
    """The options that tell whether amplitudes are pyamplicol's own, corrected or unchecked: {} for most processes."""
    return {name: str(options[name]) for name in ("normalisation", "unchecked") if name in options}


def note(options: Mapping[str, Any], process: Process) -> str | None:
    """What has to be said about pyamplicol's amplitudes in a store or a model, if anything."""
    if "unchecked" in options:
        return "note: the exact amplitudes are those of pyamplicol, unchecked: known or suspected to be wrong"
    if (fault := class_of(process).fault) is not None:
        return f"note: the exact amplitudes of pyamplicol for this process are wrong: {fault}"
    if normalisation(process) != 1.0 and "normalisation" not in options:
        return f"note: the exact amplitudes were made before ampcli corrected them by {normalisation(process):.6g}"
    return None
