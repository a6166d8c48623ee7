"""All subprocesses of a process with multiparticles that exist at the leading power of alpha_s.

All coloured legs but those of the electroweak vertices come from alpha_s, as in MadGraph without orders; one coupling
each for a photon, W, Z or H, two for a pair of leptons.  At that order a subprocess exists if

- it has a line of quarks, where it has colourless legs,
- the flavours of quarks agree, but for one step within a doublet (u d, c s, t b) for every W,
- charge and the lepton number of every family are conserved.

That is combinatorics.  It does not know that Higgs bosons need a massive particle: such processes have no provider.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement, product

from ampcli.channels.multiparticles import Definitions
from ampcli.errors import UsageError
from ampcli.process import PARTICLES, Particle, Process, parse_process

_COLOURED = ("quark", "antiquark", "gluon")
_DOUBLETS = ((2, 1), (4, 3), (6, 5))
_FAMILIES = ((11, 12), (13, 14), (15, 16))
_MOST = 300_000  # combinations to look at, in about ten seconds

#: In which particles stand first: quarks, antiquarks, gluons, others.
_ORDER = {name: place for place, name in enumerate(["d", "u", "s", "c", "b", "d~", "u~", "s~", "c~", "b~", "g"])}


def place(particle: Particle) -> tuple[int, int, int]:
    """A sort key of particles."""
    return _ORDER.get(particle.name, len(_ORDER)), abs(particle.pdg), particle.pdg


def exists(process: Process) -> bool:
    """Whether diagrams of the leading power of alpha_s have these legs."""
    outgoing = Counter(_conjugated(leg.pdg) for leg in process.incoming) + Counter(leg.pdg for leg in process.outgoing)
    quarks = sum(count for pdg, count in outgoing.items() if abs(pdg) <= 6)
    if quarks == 0 and any(leg.kind not in _COLOURED for leg in process.legs):
        return False
    charge, bosons = outgoing[24] - outgoing[-24], outgoing[24] + outgoing[-24]  # of W bosons, or what they became
    for lepton, neutrino in _FAMILIES:
        charged = outgoing[lepton] - outgoing[-lepton]
        if charged + outgoing[neutrino] - outgoing[-neutrino]:
            return False
        charge -= charged
        bosons += min(outgoing[lepton] + outgoing[-lepton], outgoing[neutrino] + outgoing[-neutrino])
    steps = []
    for up, down in _DOUBLETS:
        excess = outgoing[up] - outgoing[-up]
        if excess != outgoing[-down] - outgoing[down]:
            return False
        steps.append(excess)
    return sum(steps) == -charge and sum(map(abs, steps)) <= bosons


def expand(text: str, definitions: Definitions) -> list[Process]:
    """The subprocesses of a process string, in a fixed order, each once.

    Beams have no order (either proton gives either parton), identical multiparticles have none.

    Raises:
        UsageError: a string that cannot be read, too many combinations, or no subprocess at all.
    """
    sides = text.lower().split(">")
    first = {name: members[0] for name, members in definitions.items()}
    parse_process(" > ".join(" ".join(first.get(word, word) for word in side.split()) for side in sides))
    incoming, outgoing = ([definitions.get(word, (word,)) for word in side.split()] for side in sides)
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], Process] = {}
    beams = {tuple(sorted((PARTICLES[name] for name in pair), key=place)) for pair in product(*incoming)}
    final = _final(sides[1].split(), outgoing)
    if len(beams) * len(final) > _MOST:
        raise UsageError(
            f'"{text}" stands for {len(beams) * len(final)} combinations of particles', "Ask for fewer legs."
        )
    for pair in sorted(beams, key=lambda legs: [place(leg) for leg in legs]):
        for legs in final:
            process = Process((pair[0], pair[1]), legs)
            if exists(process):
                found.setdefault(key_of(process), process)
    if not found:
        raise UsageError(f'no subprocess of "{text}" exists at the leading power of alpha_s', "Look at its legs.")
    return list(found.values())


def key_of(process: Process) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What two processes share that differ by the order of legs, or by an exchange of the beams."""
    beams, final = (tuple(sorted(leg.name for leg in side)) for side in (process.incoming, process.outgoing))
    return beams, final


def _final(words: list[str], choices: list[tuple[str, ...]]) -> list[tuple[Particle, ...]]:
    """All outgoing legs, in the order of the string, equal multiparticles sorted among each other."""
    positions: dict[str, list[int]] = {}
    for position, word in enumerate(words):
        positions.setdefault(word, []).append(position)
    groups = []
    for word_positions in positions.values():
        members = sorted((PARTICLES[name] for name in choices[word_positions[0]]), key=place)
        groups.append(list(combinations_with_replacement(members, len(word_positions))))
    final = []
    for chosen in product(*groups):
        placed = {p: leg for where, legs in zip(positions.values(), chosen, strict=True)
                  for p, leg in zip(where, legs, strict=True)}  # fmt: skip
        final.append(tuple(placed[position] for position in range(len(words))))
    return final


def _conjugated(pdg: int) -> int:
    return pdg if pdg in (21, 22, 23, 25) else -pdg
