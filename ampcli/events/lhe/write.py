"""Stores of proton collisions as a Les Houches event file, with colour flows, ready for a parton shower."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

import ampcli
from ampcli.amplitudes.protocol import ColourFlowProvider
from ampcli.amplitudes.providers import by_place, note_on
from ampcli.collisions.flavours import Flavours
from ampcli.collisions.protons import ProtonCollisions
from ampcli.errors import UsageError
from ampcli.events.lhe.named_weights import NamedWeights
from ampcli.events.lhe.packing import EVENT_FILES, HDF5, packed, require_name
from ampcli.files import replacing
from ampcli.kinematics import FloatArray, with_beams
from ampcli.phasespace.cuts import described
from ampcli.phasespace.hadron_sampler import event_scales
from ampcli.phasespace.pdf_sets import lhapdf_id
from ampcli.phasespace.running_coupling import running_alpha_s
from ampcli.phasespace.variations import Choice, Variation
from ampcli.process import Particle
from ampcli.store.reader import Store

_PROTON = 2212
_WEIGHTS_IN_PB = 4  # IDWTUP: weights average to the cross section
_UNKNOWN = -1.0  # a coupling, by the convention of these files


@dataclass(frozen=True)
class Subprocess:
    """A store whose events go into a file, under a number of their own.

    Attributes:
        events: those of its store that have a weight.
    """

    store: Store
    source: ProtonCollisions
    provider: ColourFlowProvider
    number: int
    events: int

    @classmethod
    def of(cls, store: Store, number: int) -> Subprocess:
        """Raises: UsageError: a store of something else, or a process without colour flows."""
        source = store.plan.source
        if not isinstance(source, ProtonCollisions):
            raise UsageError(f"{store.path} does not hold proton collisions", "Make one with `ampcli gen --beams`.")
        provider = _flow_provider(store)
        events = sum(int(np.count_nonzero(_integrand(store, rows))) for rows in store.batches())
        return cls(store, source, provider, number, events)

    @property
    def flavours(self) -> tuple[Flavours, ...]:
        """The processes that the events have."""
        return self.source.flavours or (Flavours(process=str(self.store.process)),)

    @cached_property
    def legs(self) -> list[tuple[Particle, ...]]:
        """Legs of each of the flavours."""
        return [self.store.plan.provider.described(each.process).legs for each in self.flavours]


def write_lhe(
    stores: Sequence[Store],
    out: Path,
    seed: int,
    variations: Callable[[Choice], Sequence[Variation]] | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
    facts: Mapping[str, str] | None = None,
) -> int:
    """Write all events but those of weight 0; the file appears whole or not at all.  Returns their number.

    Momenta have 16 digits, and colour lines are drawn in proportion to the squared orderings.  Weights are in pb and
    average to the cross section, of all stores together.  A name that ends in .gz asks for gzip, one in .zst for zstd,
    one in .hdf5 for HDF5.
    Where the incoming partons differ, half of the events are turned, so that either proton gives either parton.  Events
    of several stores are mixed at random, each store's in their order.

    Args:
        facts: for the header, instead of the process and the digest of a single store.
        seed: of colour flows and orientations.
        variations: other choices of scales, densities and couplings (`ampcli.phasespace.variations`), given the one of
            the events; each becomes a named weight.

    Raises:
        UsageError: a store of something else, a process without colour flows, a file that exists, or an impossible
            choice of scales, densities or couplings.
        NotFoundError: no such densities, or those of the events are not there.
        IntegrityError: other densities have the name of those of the events.
    """
    require_name(out, (*EVENT_FILES, HDF5))
    if out.exists():
        raise UsageError(f"{out} exists already", "Choose another name, or remove it.")
    parts = [Subprocess.of(store, number) for number, store in enumerate(stores, start=1)]
    named = None
    if variations is not None:
        central = Choice.of(parts[0].source)
        named = NamedWeights(central, variations(central))
    events = sum(part.events for part in parts)
    if events == 0:
        raise UsageError(f"all events of {stores[0].path} have the weight 0", "Generate more points.")
    with replacing(out) as draft, packed(draft, out.name) as raw, io.TextIOWrapper(raw, "ascii") as file:
        file.write(_header(parts, named, facts))
        for each in _mixed(parts, named, events, seed):
            file.write(each)
            on_rows(1)
        file.write("</LesHouchesEvents>\n")
    return events


def _mixed(parts: list[Subprocess], named: NamedWeights | None, events: int, seed: int) -> Iterator[str]:
    """Events of all stores: every order of their numbers is as likely."""
    streams = [_events_of(part, named, events, seed, alone=len(parts) == 1) for part in parts]
    turns = np.repeat(np.arange(len(parts), dtype=np.uint16), [part.events for part in parts])
    if len(parts) > 1:
        np.random.default_rng(np.random.SeedSequence(seed)).shuffle(turns)
    for turn in turns:
        yield next(streams[turn])


def _events_of(part: Subprocess, named: NamedWeights | None, events: int, seed: int, alone: bool) -> Iterator[str]:
    for rows in part.store.batches():
        key = (rows.start,) if alone else (part.number, rows.start)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        yield from _events(part, named, rows, events, rng)


def _flow_provider(store: Store) -> ColourFlowProvider:
    """The first provider that draws colour flows of a store's process.

    Raises:
        UsageError: there is none.
    """
    made = store.plan.provider
    drawing = [kind for kind in by_place() if kind.draws_colour_flows]
    for kind in drawing:
        if made.model is None and kind.covers(store.process) is None:
            provider = kind.make(store.process, made.parameters if kind.name == made.exact_name else {})
            return cast(ColourFlowProvider, provider)
    raise UsageError(
        f'no colour flows are known for "{store.process}", and an event file needs them',
        f"They are for processes with amplitudes of the provider {' or '.join(kind.name for kind in drawing)}.",
    )


def _header(parts: list[Subprocess], named: NamedWeights | None, other: Mapping[str, str] | None) -> str:
    store, source = parts[0].store, parts[0].source
    beam = 0.5 * source.energy
    density = lhapdf_id(source.pdf)
    made = dict.fromkeys(f"{each.name} {each.version}" for each in (part.store.plan.provider for part in parts))
    subprocesses = {f"subprocess {part.number}": ", ".join(each.process for each in part.flavours) for part in parts}
    facts = {
        "process": store.process,
        "sqrt_s": f"{source.energy:.12g} GeV, two protons",
        "cuts": f"jets: {described(source.cuts, source.leptons)}",
        "scale": "mu_R = mu_F = " + ("H_T/2" if source.scale is None else f"{source.scale:.12g} GeV"),
        "pdf": f"{source.pdf} (LHAPDF id {density or 'unknown'}, sha256 of the grid {source.pdf_sha256})",
        "alpha_s": f"{source.alpha_s_mz:.12g} at M_Z, {source.running.loops} loops, running with the scale (AQCDUP)",
        "weights": "in pb; their mean is the cross section",
        "provider": ", ".join(made),
        "digest": store.digest,
        **(other or {}),
        **(subprocesses if other or source.flavours else {}),
        **{f"{key}{f' of {part.number}' if len(parts) > 1 else ''}": words
           for part in parts for key, words in _closure(part.store).items()},
    }  # fmt: skip
    lines = "".join(f"{key} = {escape(str(value)).encode('ascii', 'xmlcharrefreplace').decode()}\n"
                    for key, value in facts.items())  # fmt: skip
    return (
        f'<LesHouchesEvents version="3.0">\n<header>\n<ampcli version="{ampcli.__version__}">\n{lines}</ampcli>\n'
        f"{named.declared() if named else ''}</header>\n<init>\n"
        f"{_PROTON} {_PROTON} {beam:.16e} {beam:.16e} 0 0 {density} {density} {_WEIGHTS_IN_PB} {len(parts)}\n"
        f"{''.join(map(_init_line, parts))}"
        f"<generator name='ampcli' version='{ampcli.__version__}'></generator>\n</init>\n"
    )


def _init_line(part: Subprocess) -> str:
    """Cross section, its error, the largest weight (which nobody needs who has weights in pb), and the number."""
    statistics = part.store.attributes["statistics"]
    sigma, error = statistics["mean_weighted_amplitude"], statistics["mean_weighted_amplitude_error"]
    return f"{sigma:.16e} {error:.16e} {sigma:.16e} {part.number}\n"


def _closure(store: Store) -> dict[str, str]:
    """What the sample's closure test found, in words (`ampcli.generation.closure`)."""
    if (found := store.attributes.get("closure")) is None:
        return {}
    return {
        "surrogates": (
            note_on(store.plan.provider, store.process) or "proposed these events; amplitudes are exact"
        ).removeprefix("note: "),
        "closure": f"{found['events']} events computed exactly: cross section x {found['cross_section']:.6f} +- "
        f"{found['cross_section_error']:.1g}, share off by more than 3 %: {found['off_by_3_percent']:.2g}, largest "
        f"deviation {found['largest']:.2g}, worth {found['effective_events']:.0f} events of equal weight",
    }


def _integrand(store: Store, rows: slice) -> FloatArray:
    """Weight x amplitude: what adds up to the cross section."""
    return store.read("weight", rows) * store.read("amplitude", rows)


def _events(
    part: Subprocess, named: NamedWeights | None, rows: slice, events: int, rng: np.random.Generator
) -> Iterator[str]:
    store, source, process = part.store, part.source, part.store.process
    momenta = with_beams(store.read("momenta", rows))
    n = len(momenta)
    tags = part.provider.colour_flows(momenta, rng.random(n))
    weights = _integrand(store, rows) * events / store.tried
    scales = event_scales(momenta, process, source.scale)
    couplings = running_alpha_s(scales, source.alpha_s_mz, source.running)
    order = np.tile(np.arange(process.n_external), (n, 1))
    if process.incoming[0].pdg != process.incoming[1].pdg:
        turned = rng.random(n) < 0.5
        momenta[turned, :, 2:] *= -1.0  # half a turn about the x axis
        order[turned, :2] = [1, 0]
    flavour = store.read("flavour", rows).astype(int) if source.flavours else np.zeros(n, dtype=int)
    mirrored = np.array([each.mirrored for each in part.flavours])[flavour]
    momenta[mirrored, :, 2] *= -1.0
    tags[mirrored] = tags[mirrored][..., ::-1]  # antiparticles
    alpha_ew = part.provider.identity().parameters.get("alpha_ew", _UNKNOWN)
    kept = np.flatnonzero(weights)
    others = [""] * len(kept)
    if named is not None:
        partons = np.array([[leg.pdg for leg in legs[:2]] for legs in part.legs])[flavour[kept]]
        x = store.read("x", rows)[kept]
        others = named.written(weights[kept], x, partons, scales[kept], process.alpha_s_power)
    for event, other in zip(kept, others, strict=True):
        numbers = (weights[event], scales[event], alpha_ew, couplings[event])
        legs = part.legs[flavour[event]]
        yield _event(part.number, legs, momenta[event], tags[event], order[event], numbers, other)


def _event(
    number: int,
    legs: tuple[Particle, ...],
    momenta: FloatArray,
    tags: npt.NDArray[np.int32],
    order: npt.NDArray[np.int64],
    numbers: tuple[float, float, float, float],
    others: str,
) -> str:
    head = " ".join(f"{each:.16e}" for each in numbers)
    lines = [f"<event>\n{len(legs)} {number} {head}\n"]
    for position in order:
        leg = legs[position]
        status, mothers = (-1, "0 0") if position < 2 else (1, "1 2")
        e, x, y, z = momenta[position]
        colours = f"{tags[position, 0]} {tags[position, 1]}"
        momentum = f"{x:.16e} {y:.16e} {z:.16e} {e:.16e} {leg.mass:.16e}"
        lines.append(f"{leg.pdg} {status} {mothers} {colours} {momentum} 0. 9.\n")
    lines.append(f"{others}</event>\n")
    return "".join(lines)
