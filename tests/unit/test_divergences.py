"""Processes that cuts do not make finite, by enumeration of their outgoing particles."""

from __future__ import annotations

import itertools

import pytest

from ampcli.cli.main import run
from ampcli.errors import UsageError
from ampcli.phasespace.cuts import LeptonCuts
from ampcli.phasespace.divergences import require_finite
from ampcli.process import PARTICLES, parse_process

LEPTONS = ("e", "mu", "ta")
OPEN = LeptonCuts(delta_r_ll=0.0)  # of two leptons of any mass


@pytest.mark.parametrize("gluons", ["", " g"])
def test_every_pair(gluons):
    refused = 0
    for outgoing in itertools.combinations_with_replacement(PARTICLES, 2):
        process = parse_process(f"u u~ > {' '.join(outgoing)}{gluons}")
        pair = any({f"{lepton}-", f"{lepton}+"} == set(outgoing) for lepton in LEPTONS)
        if not pair and "a" not in outgoing:
            require_finite(process, OPEN)
            continue
        with pytest.raises(UsageError, match="has an infinite cross section") as error:
            require_finite(process, OPEN)
        assert str(process) in error.value.what
        assert ("the photon" if "a" in outgoing else outgoing[0]) in error.value.what
        refused += 1
        if "a" not in outgoing:
            require_finite(process, LeptonCuts())
            require_finite(process, LeptonCuts(0.0, 2.5, 0.0, 0.0, 5.0))
    assert refused == len(PARTICLES) + len(LEPTONS)


@pytest.mark.parametrize(
    ("process", "options", "said"),
    [
        ("u u~ > a g", [], "infinite cross section"),
        ("g u > u a", [], "infinite cross section"),
        ("u u~ > e- e+", ["--lepton-pt-min", "0"], "Give --m-ll-min, or --lepton-pt-min and --delta-r-ll"),
        ("d d~ > e+ e- g g", ["--delta-r-ll", "0"], "infinite cross section"),
        ("u u~ > z mu+ g mu-", [], "mu- mu+ beside other particles without colour are not sampled"),
        ("d d~ > e- e+", ["--m-ll-min", "14000"], "do not fit into 13000 GeV"),
        ("d d~ > e- e+", ["--m-ll-min", "-1"], "--m-ll-min -1: zero or a positive number"),
        ("d d~ > e- e+", ["--lepton-eta-max", "0"], "--lepton-eta-max 0: a positive number"),
        ("d d~ > z g", ["--lepton-pt-min", "10"], 'no effect for "d d~ > z g", which has no outgoing charged lepton'),
        ("d d~ > ve ve~ g", ["--delta-r-jl", "1"], "no effect"),
    ],
)
def test_the_command(process, options, said, tmp_path, capsys):
    assert run(["gen", process, str(tmp_path / "s.zarr"), "--points", "10", "--beams", "lhc13", *options]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_cuts_on_leptons_are_those_of_protons(tmp_path, capsys):
    store = str(tmp_path / "s.zarr")
    assert run(["gen", "e- e+ > d d~", store, "--points", "10", "--lepton-pt-min", "5"]) == 2
    assert "no effect without --beams" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("gluons", [1, 2])
def test_no_cut_in_electron_positron_collisions(gluons, tmp_path, capsys):
    process = "e- e+ > d d~" + " g" * gluons
    assert run(["gen", process, str(tmp_path / "s.zarr"), "--points", "10", "--y-cut", "0"]) == 2
    assert "--y-cut 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
