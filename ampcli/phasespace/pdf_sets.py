"""What is known of a set of parton densities beside its grid: whose partons, and the alpha_s that goes with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ampcli.errors import IntegrityError, NotFoundError
from ampcli.files import read_file
from ampcli.phasespace.partons import find_pdf
from ampcli.phasespace.running_coupling import LOOPS, ONE_LOOP, Running, running_alpha_s

PROTON = 2212

# alpha_s(M_Z) and loops of the running of the proton sets that pythia8mc brings without .info files, as its manual
# lists them (PDFSelection.xml); CT14qed: C. Schmidt et al., arXiv:1509.02905.
_PROTONS = {
    "NNPDF23_lo_as_0119_qed": (0.119, 1),
    "NNPDF23_lo_as_0130_qed": (0.130, 1),
    "NNPDF23_nlo_as_0119_qed": (0.119, 2),
    "NNPDF23_nnlo_as_0119_qed": (0.119, 3),
    "NNPDF31_lo_as_0118": (0.118, 1),
    "NNPDF31_lo_as_0130": (0.130, 1),
    "NNPDF31_nlo_as_0118_luxqed": (0.118, 2),
    "NNPDF31_nnlo_as_0118_luxqed": (0.118, 3),
    "NNPDF31sx_nlonllx_as_0118_LHCb_luxqed": (0.118, 2),
    "NNPDF31sx_nnlonllx_as_0118_LHCb_luxqed": (0.118, 3),
    "CT14qed_proton": (0.118, 2),
}

# PDG codes of what pythia8mc's other sets describe, from the same manual.
_OTHERS = {
    "GRS99LOpi": 211,
    "GRS99LOKplus": 321,
    "SU21piplus": 211,
    "SU21Kplus": 321,
    "SU21phi": 333,
    "SU21eta": 221,
    "SU21Dzero": 421,
    "SU21Dsplus": 431,
    "SU21Jpsi": 443,
    "SU21Bplus": 521,
    "SU21Bszero": 531,
    "SU21Bcplus": 541,
    "SU21Upsilon": 553,
    "SU21Sigmaplus": 3222,
    "SU21Xizero": 3322,
    "SU21Omega": 3334,
    "SU21Sigmacplusplus": 4222,
    "SU21Xicplus": 4232,
    "SU21Omegac": 4332,
    "SU21Sigmabplus": 5222,
    "SU21Xibzero": 5232,
    "SU21Omegab": 5332,
    **{f"GKG18_DPDF_Fit{fit}_{order}": 990 for fit in "AB" for order in ("LO", "NLO")},  # the pomeron
}


# LHAPDF's numbers of sets that come without .info files (pdfsets.index).
_LHAPDF_IDS = {
    "NNPDF23_lo_as_0130_qed": 247000,
    "NNPDF31_lo_as_0118": 315000,
    "NNPDF31_lo_as_0130": 315200,
    "NNPDF31_nlo_as_0118_luxqed": 324900,
    "NNPDF31_nnlo_as_0118_luxqed": 325100,
}


@dataclass(frozen=True)
class PdfSet:
    """Whose partons a set describes (PDG code), its alpha_s(M_Z) where known, and how that runs."""

    particle: int
    alpha_s_mz: float | None
    running: Running


def pdf_set(grid: Path) -> PdfSet:
    """What is known of the set of a grid file: from its .info file, or from our table of sets without one.

    `SET_0003.dat` belongs to `SET.info` in the same folder.  What the grid's own header says comes first, as in LHAPDF.

    Raises:
        IntegrityError: an .info file that cannot be understood.
    """
    name = re.sub(r"_\d{4}$", "", grid.stem)
    info = grid.with_name(f"{name}.info")
    if not info.is_file():
        if name in _OTHERS:
            return PdfSet(_OTHERS[name], None, ONE_LOOP)
        at_z, loops = _PROTONS.get(name, (None, 1))
        return PdfSet(PROTON, at_z, Running(loops))
    try:
        entries = _entries(info) | _entries(grid)
        running = _running(entries)
        at_z = float(entries["AlphaS_MZ"]) if "AlphaS_MZ" in entries else None
        if at_z is None and running.scales:
            at_z = float(running_alpha_s(np.array([running.m_z]), 0.0, running)[0])
        return PdfSet(int(entries.get("Particle", PROTON)), at_z, running)
    except ValueError as error:
        raise IntegrityError(f"{info} cannot be understood: {error}", "Install the set again.") from None


def lhapdf_id(name: str) -> int:
    """LHAPDF's number of a set or grid file: from its .info file, or from our table; 0 if it is not known."""
    try:
        grid = find_pdf(name)
        stem = re.sub(r"_\d{4}$", "", grid.stem)
        member = int(grid.stem.removeprefix(stem).lstrip("_") or 0)
        return int(_entries(grid.with_name(f"{stem}.info"))["SetIndex"]) + member
    except (NotFoundError, OSError, KeyError, ValueError):
        return _LHAPDF_IDS.get(Path(name).stem.removesuffix("_0000"), 0)


def _entries(file: Path) -> dict[str, str]:
    """The `Key: value` lines before the first `---`; a list may go over several lines."""
    text = read_file(file).decode("utf-8", "replace").split("\n---")[0]
    text = re.sub(r"\[[^\]]*\]", lambda found: found[0].replace("\n", " "), text)
    lines = (line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {key.strip(): value.split(" #")[0].strip().strip("\"'") for key, value in lines}


def _running(entries: dict[str, str]) -> Running:
    """How alpha_s runs according to the entries of a set; the order 0 is one loop."""
    loops = 1 + int(entries.get("AlphaS_OrderQCD", entries.get("OrderQCD", 0)))
    if loops not in LOOPS:
        raise ValueError(f"AlphaS_OrderQCD is {loops - 1}; 0 to {LOOPS[-1] - 1} are known")
    m_z = float(entries.get("MZ", ONE_LOOP.m_z))
    scales, values = (_numbers(entries.get(key, "")) for key in ("AlphaS_Qs", "AlphaS_Vals"))
    if (scales or values) and entries.get("AlphaS_Type", "ipol").lower() == "ipol":
        _require_table(scales, values)
        return Running(loops, m_z, scales=scales, values=values)
    flavours = int(entries.get("AlphaS_NumFlavors", entries.get("NumFlavors", ONE_LOOP.flavours)))
    if not 3 <= flavours <= 6:
        raise ValueError(f"{flavours} flavours")
    if entries.get("AlphaS_FlavorScheme", entries.get("FlavorScheme", "variable")).lower() == "fixed":
        return Running(loops, m_z, flavours)
    thresholds = []
    for quark in ("Charm", "Bottom", "Top")[: flavours - 3]:
        keys = (f"AlphaS_Threshold{quark}", f"Threshold{quark}", f"AlphaS_M{quark}", f"M{quark}")
        known = [float(entries[key]) for key in keys if key in entries]
        if not known:
            return Running(loops, m_z, flavours)
        thresholds.append(known[0])
    return Running(loops, m_z, flavours, tuple(thresholds))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.strip("[]").replace(",", " ").split())


def _require_table(scales: tuple[float, ...], values: tuple[float, ...]) -> None:
    if len(scales) != len(values) or len(scales) < 2:
        raise ValueError(f"{len(scales)} AlphaS_Qs and {len(values)} AlphaS_Vals")
    if not all(0 < number < float("inf") for number in (*scales, *values)):
        raise ValueError("AlphaS_Qs and AlphaS_Vals must be positive")
    steps = [after - before for before, after in pairwise(scales)]
    # a threshold is a scale that stands there twice, within a table and not at its ends
    double = [k for k, step in enumerate(steps) if step == 0]
    if min(steps) < 0 or 0 in double or len(steps) - 1 in double or any(k + 1 in double for k in double):
        raise ValueError("AlphaS_Qs must ascend")
