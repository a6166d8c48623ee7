"""All checks of an event file, in one pass; damaged files are read as far as they go."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ampcli.errors import IntegrityError
from ampcli.events.check.amplitudes import Amplitudes
from ampcli.events.check.colours import check_colours
from ampcli.events.check.couplings import Couplings
from ampcli.events.check.findings import Check, Findings
from ampcli.events.check.particles import check_particles
from ampcli.events.check.sums import Sums
from ampcli.events.exact import Choice
from ampcli.events.lhe.blocks import EventBlocks
from ampcli.events.lhe.records import LheInit, parse_event, parse_init


@dataclass(frozen=True)
class Checked:
    """What was found in a file.

    Attributes:
        events: that were read.
        init: the first <init> block, where there is one.
    """

    path: Path
    events: int
    init: LheInit | None
    findings: Findings
    sums: Sums
    couplings: Couplings
    amplitudes: Amplitudes

    @property
    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        init = self.init
        found = {
            "file": str(self.path),
            "events": self.events,
            "sound": not self.findings.wrong,
            "init": None
            if init is None
            else {"beams": init.beams, "energies": init.energies, "pdf_sets": init.pdf_sets, "idwtup": init.weighting},
            "normalisation": self.sums.normalisation,
            "subprocesses": list(self.sums.rows()),
            "processes": self.amplitudes.rows(),
            **self.couplings.document,
            "findings": [finding.document for finding in (*self.findings.wrong, *self.findings.notes)],
        }
        return cast(dict[str, Any], _finite(found))


def check_file(
    path: Path, choice: Choice, skipped: Collection[Check] = (), on_events: Callable[[int], None] = lambda events: None
) -> Checked:
    """Check an event file.

    Args:
        choice: who computes |M|^2.
        skipped: checks that are left out.
        on_events: is told how many events were read since.

    Raises:
        FileNotFoundError: no such file.
        UsageError: it is no event file.
        IntegrityError: no ordinary file.
    """
    findings = Findings(skipped)
    blocks = EventBlocks(path)
    init: LheInit | None = None
    sums, couplings, amplitudes = Sums(None, findings), Couplings(None, findings), Amplitudes(choice, findings)
    number = -1
    try:
        for number, block in enumerate(blocks):
            if number == 0:
                init = _first_init(blocks, findings)
                sums.init = couplings.init = init
            try:
                event = parse_event(block, number, "")
            except IntegrityError as error:
                findings.of_event(
                    "file", number, "an event that is not as the standard has it", error.what.lstrip(": ")
                )
                continue
            check_particles(event, init, findings)
            check_colours(event, findings)
            sums.add(event, blocks.tag, block)
            couplings.add(event, blocks.tag)
            amplitudes.add(event)
            on_events(1)
    except IntegrityError as error:
        findings.of_file("file", "it is damaged or truncated", error.what.removeprefix(f"{path}: "))
    events = number + 1
    if not events:
        findings.of_file("file", "it holds no whole event")
    elif not blocks.ended:
        findings.of_file("file", "it has no </LesHouchesEvents> at its end", "it may have lost events")
    if blocks.inits > 1:
        what = "several files after each other: the first <init> is taken for all"
        findings.of_file("file", what, f"{blocks.inits} <init> blocks", wrong=False)
    sums.conclude(max(blocks.inits, 1))
    couplings.conclude()
    amplitudes.conclude()
    return Checked(path, events, init, findings, sums, couplings, amplitudes)


def _finite(value: Any) -> Any:
    """Numbers that are not finite are left out of JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list) else value


def _first_init(blocks: EventBlocks, findings: Findings) -> LheInit | None:
    if not blocks.inits:
        findings.of_file("file", "there is no <init> before the events")
        return None
    try:
        return parse_init(blocks.init, "<init>")
    except IntegrityError as error:
        findings.of_file("file", "<init> is not as the standard has it", error.what)
        return None
