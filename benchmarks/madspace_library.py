"""Cross sections by madspace alone, of the library of `ampcli export`, beside those of `ampcli gen`.

madspace's own phase space (Chili), parton densities, flux, scale and cuts integrate the library through UMAMI; of
ampcli it has the library, the table of alpha_s, and the VEGAS grid.  Writes libraries and stores into a temporary
folder (half a minute) and prints a table; asserts nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import madspace
import numpy as np

from ampcli.cli.main import run
from ampcli.generation.generate import GenerationRequest, generate, prepare
from ampcli.generation.proton_points import ProtonSettings
from ampcli.phasespace.cuts import JetCuts
from ampcli.phasespace.partons import find_pdf
from ampcli.phasespace.pdf_sets import pdf_set
from ampcli.phasespace.running_coupling import running_alpha_s
from ampcli.phasespace.vegas import VegasGrid
from ampcli.process import Process, parse_process

ENERGY, PDF = 13000.0, "NNPDF23_lo_as_0130_qed"
_JET = 21


@dataclass
class MadspaceIntegral:
    """The cross section of a process of massless jets and a boson.

    Args:
        library: of `ampcli export`, for this process; folder: for the table of alpha_s.
        points: of a round.
    """

    process: Process
    library: Path
    folder: Path
    points: int
    cuts: JetCuts

    def __post_init__(self) -> None:
        self._context = madspace.Context(1)
        mapping = madspace.PhaseSpaceMapping(
            [leg.mass for leg in self.process.legs],
            ENERGY,
            mode=madspace.PhaseSpaceMapping.TChannelMode.chili,
            cuts=self._cuts(),
        )
        self._grid = VegasGrid.flat(mapping.random_dim())
        self._map = self._runtime(mapping.forward_function())
        self._value = self._runtime(self._cross_section().function())

    def _runtime(self, function: madspace.Function) -> madspace.FunctionRuntime:
        return madspace.FunctionRuntime(function, self._context)

    def _cuts(self) -> madspace.Cuts:
        observable, quantity = madspace.Observable, madspace.Observable.ObservableOption
        codes = [leg.pdg if leg.mass else _JET for leg in self.process.legs]
        items = [
            madspace.CutItem(observable(codes, quantity.obs_pt, [[_JET]]), min=self.cuts.pt_min),
            madspace.CutItem(observable(codes, quantity.obs_eta_abs, [[_JET]]), max=self.cuts.eta_max),
            madspace.CutItem(observable(codes, quantity.obs_delta_r, [[_JET, _JET]]), min=self.cuts.delta_r),
        ]
        return madspace.Cuts(items)

    def _cross_section(self) -> madspace.DifferentialCrossSection:
        """|M|^2 with densities, flux and alpha_s at H_T/2."""
        file = find_pdf(PDF)
        densities, known = madspace.PdfGrid(str(file)), pdf_set(file)
        scales = np.geomspace(5.0, 2 * ENERGY, 400)
        values = running_alpha_s(scales, known.alpha_s_mz or 0.13, known.running)
        table = self.folder / "alpha_s.info"
        rows = {"Qs": scales, "Vals": values}
        table.write_text(
            "".join(f"AlphaS_{name}: [{', '.join(f'{x:.12e}' for x in row)}]\n" for name, row in rows.items())
        )
        coupling = madspace.AlphaSGrid(str(table))
        for each in (densities, coupling):
            each.initialize_globals(self._context)
        element = madspace.MatrixElement
        inputs, outputs = element.MatrixElementInput, element.MatrixElementOutput
        api = self._context.load_matrix_element(str(self.library), "")
        return madspace.DifferentialCrossSection(
            element(api, [inputs.momenta_in, inputs.alpha_s_in], [outputs.matrix_element_out]),
            ENERGY,
            madspace.RunningCoupling(coupling),
            madspace.EnergyScale(self.process.n_external),
            [[leg.pdg for leg in self.process.incoming]],
            densities,
            densities,
        )

    def round(self, rng: np.random.Generator, adapt: bool) -> tuple[float, float]:
        """Mean and standard error in pb of one round."""
        mapped, jacobian, bins = self._grid.map(rng.random((self.points, self._grid.axes)))
        momenta, first, second, volume = (np.asarray(found) for found in self._map(mapped))
        weights = np.zeros(self.points)
        rows = np.flatnonzero(volume > 0)
        flavours = np.zeros(len(rows), dtype=np.int32)
        value = np.asarray(self._value(momenta[rows], first[rows], second[rows], flavours))
        weights[rows] = value * volume[rows] * jacobian[rows]
        if adapt:
            self._grid = self._grid.refined(bins, weights)
        return float(weights.mean()), float(weights.std() / np.sqrt(self.points))

    def result(self, seed: int, rounds: int, of_adaptation: int) -> tuple[float, float]:
        """Cross section and error in pb, of rounds with the grid fixed after those of the adaptation."""
        rng = np.random.default_rng(seed)
        for _ in range(of_adaptation):
            self.round(rng, True)
        means, errors = np.array([self.round(rng, False) for _ in range(rounds)]).T
        both = 2.0  # either proton may bring the first parton
        return both * float(means.mean()), both * float(np.sqrt((errors**2).sum()) / rounds)


def by_gen(process: str, folder: Path, points: int, cuts: JetCuts) -> tuple[float, float]:
    """Cross section and error in pb of `ampcli gen`."""
    request = GenerationRequest(process, folder / "store.zarr", points, ProtonSettings("lhc13", cuts, pdf=PDF))
    statistics = (generate(prepare(request)) or {})["statistics"]
    return statistics["mean_weighted_amplitude"], statistics["mean_weighted_amplitude_error"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("processes", nargs="*", default=["d d~ > z g g", "d g > z d g"])
    parser.add_argument("--points", type=int, default=200_000, help="of each of the two")
    asked = parser.parse_args()
    print(f"{'process':18}{'madspace [pb]':>22}{'ampcli gen [pb]':>22}{'pull':>7}")
    for name in asked.processes:
        process = parse_process(name)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            if run(["export", name, str(folder / "library"), "--quiet"]):
                raise SystemExit(1)
            integral = MadspaceIntegral(
                process, folder / "library" / "libampcli.so", folder, asked.points // 10, JetCuts()
            )
            mean, error = integral.result(1, 10, 10)
            ours, spread = by_gen(name, folder, asked.points, JetCuts())
            pull = (mean - ours) / np.hypot(error, spread)
            print(f"{name:18}{mean:>14.3f} +-{error:6.3f}{ours:>13.3f} +-{spread:6.3f}{pull:>7.2f}", flush=True)


if __name__ == "__main__":
    main()
