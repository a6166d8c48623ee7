"""Names that stand for several particles: ``p``, ``j``, ``l+``, ``l-``, ``vl``, ``vl~``, and those of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ampcli.errors import UsageError, setting
from ampcli.process import PARTICLES

#: Name -> names of particles.
Definitions = Mapping[str, tuple[str, ...]]

_QUARKS = ("d", "u", "s", "c", "b")
#: Flavours of quarks in protons and jets, as in MadGraph: without b.
FLAVOURS = 4


def default_definitions(flavours: int = FLAVOURS) -> dict[str, tuple[str, ...]]:
    """MadGraph's multiparticles.

    Args:
        flavours: of quarks in ``p`` and ``j``: 4 (d u s c) or 5 (b too).
    """
    quarks = _QUARKS[:flavours]
    partons = (*quarks, *(f"{name}~" for name in quarks), "g")
    return {
        "p": partons,
        "j": partons,
        "l-": ("e-", "mu-"),
        "l+": ("e+", "mu+"),
        "vl": ("ve", "vm", "vt"),
        "vl~": ("ve~", "vm~", "vt~"),
    }


def parse_definitions(texts: Sequence[str], flavours: int = FLAVOURS) -> dict[str, tuple[str, ...]]:
    """The default multiparticles, and those that the user defines or redefines: ``j=g u d``.

    Raises:
        UsageError: something else, the name of a particle, an unknown member.
    """
    known = default_definitions(flavours)
    for text in texts:
        shown = f"{setting('define')} {text}"
        name, equals, members = text.partition("=")
        name = name.strip().lower()
        if not equals or not members.split() or len(name.split()) != 1 or ">" in text:
            raise UsageError(f"{shown}: write it as NAME=PARTICLE PARTICLE ..., for example j=g u d")
        if name in PARTICLES:
            raise UsageError(f"{shown}: {name} is a particle", "Choose another name.")
        found: list[str] = []
        for member in members.lower().split():
            if member not in PARTICLES and member not in known:
                raise UsageError(f'{shown}: unknown particle "{member}"', f"Known: {' '.join([*PARTICLES, *known])}.")
            found += known.get(member, (member,))
        known[name] = tuple(dict.fromkeys(found))
    return known


def named_definitions(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """As `parse_definitions`, where those that cannot be read stand for nothing: they are refused later."""
    own = {
        name.strip().lower(): tuple(members.lower().split()) for name, _, members in (t.partition("=") for t in texts)
    }
    return default_definitions() | own


def used(text: str, definitions: Definitions) -> dict[str, tuple[str, ...]]:
    """The multiparticles that a process string has."""
    words = dict.fromkeys(text.lower().replace(">", " ").split())
    return {name: definitions[name] for name in words if name in definitions}
