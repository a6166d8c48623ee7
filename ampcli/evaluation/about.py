"""What points of phase space are, in a line: process, energy, cuts, number."""

from __future__ import annotations

from ampcli.collisions import AnyCollisions
from ampcli.collisions.given import GivenEvents
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.collisions.protons import ProtonCollisions
from ampcli.phasespace.cuts import described
from ampcli.store.reader import Split, Store


def conditions(source: AnyCollisions) -> str:
    """Energy and cuts of collisions."""
    match source:
        case LeptonCollisions():
            found = [f"√s = {source.sqrt_s:g} GeV", f"s_ij > {source.y_cut:g} s"]
            return ", ".join([*found, *(["Durham jets"] if source.cuts == "durham" else [])])
        case ProtonCollisions():
            cuts = described(source.cuts, source.leptons).replace("Delta R", "ΔR").replace("eta", "η")
            return f"√s = {source.energy / 1000:g} TeV, {cuts}"
        case GivenEvents():
            energy = "" if source.sqrt_s is None else f"√s = {source.sqrt_s:g} GeV, "
            return f"{energy}events of a file"


def about_split(store: Store, split: Split, points: int) -> str:
    """Of `points` points of a split of a store."""
    rows = f"{points} points" if split == "all" else f"{points} {split} points"
    return f"{store.process}, {conditions(store.plan.source)}, {rows}"
