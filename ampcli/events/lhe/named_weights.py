"""Named weights of an event file (Les Houches accord 3): declared once as <initrwgt>, and <rwgt> in every event."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from ampcli.kinematics import FloatArray
from ampcli.phasespace.pdf_sets import lhapdf_id
from ampcli.phasespace.variations import Choice, IntArray, Variation, ratios

_FIRST = 1001  # identifiers, as MadGraph's


@dataclass(frozen=True)
class NamedWeights:
    """Other choices of scales, densities and couplings as weights of the events that were drawn with a central one."""

    central: Choice
    variations: Sequence[Variation]

    def declared(self) -> str:
        """The block <initrwgt>."""
        lines = ["<initrwgt>\n"]
        numbered = enumerate(self.variations, start=_FIRST)
        for group, members in itertools.groupby(numbered, key=lambda entry: entry[1].group):
            lines.append(f"<weightgroup name={_attribute(group)}>\n")
            for number, variation in members:
                choice = variation.choice
                facts = {
                    "id": number,
                    "MUR": f"{choice.mu_r:g}",
                    "MUF": f"{choice.mu_f:g}",
                    "PDF": lhapdf_id(str(choice.pdf)),
                    "ALPHAS": f"{choice.alpha_s_mz:.12g}",
                }
                attributes = " ".join(f"{name}={_attribute(str(value))}" for name, value in facts.items())
                lines.append(f"<weight {attributes}>{_text(variation.name)}</weight>\n")
            lines.append("</weightgroup>\n")
        return "".join([*lines, "</initrwgt>\n"])

    def written(
        self, weights: FloatArray, x: FloatArray, partons: IntArray, scale: FloatArray, power: int
    ) -> list[str]:
        """The block <rwgt> of every event.

        Args:
            weights: central ones (n,), in the file's unit, none of them 0.
            x, partons, scale, power: see `ampcli.phasespace.variations.Choice.factors`.
        """
        found = weights[:, None] * ratios(self.variations, self.central, x, partons, scale, power)
        return ["".join(["<rwgt>\n", *(_weight(k, value) for k, value in enumerate(row.tolist(), start=_FIRST)),
                         "</rwgt>\n"]) for row in found]  # fmt: skip


def _weight(number: int, value: float) -> str:
    return f"<wgt id='{number}'> {value:.16e} </wgt>\n"


def _text(words: str) -> str:
    return escape(words).encode("ascii", "xmlcharrefreplace").decode()


def _attribute(words: str) -> str:
    return quoteattr(words).encode("ascii", "xmlcharrefreplace").decode()
