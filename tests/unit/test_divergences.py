"""Processes that cuts on jets do not make finite, by enumeration of their outgoing particles."""

from __future__ import annotations

import itertools

import pytest

from ampcli.cli.main import run
from ampcli.errors import UsageError
from ampcli.phasespace.divergences import require_finite
from ampcli.process import PARTICLES, parse_process

LEPTONS = ("e", "mu", "ta")


@pytest.mark.parametrize("gluons", ["", " g"])
def test_every_pair(gluons):
    refused = 0
    for outgoing in itertools.combinations_with_replacement(PARTICLES, 2):
        process = parse_process(f"u u~ > {' '.join(outgoing)}{gluons}")
        pair = any({f"{lepton}-", f"{lepton}+"} == set(outgoing) for lepton in LEPTONS)
        if not pair and "a" not in outgoing:
            require_finite(process)
            continue
        with pytest.raises(UsageError, match="has an infinite cross section") as error:
            require_finite(process)
        assert str(process) in error.value.what
        assert ("the photon" if "a" in outgoing else outgoing[0]) in error.value.what
        refused += 1
    assert refused == len(PARTICLES) + len(LEPTONS)


@pytest.mark.parametrize(
    "process", ["u u~ > e- e+", "d d~ > e+ e- g g", "u u~ > z mu+ g mu-", "u u~ > a g", "g u > u a"]
)
def test_the_command(process, tmp_path, capsys):
    assert run(["gen", process, str(tmp_path / "s.zarr"), "--points", "10", "--beams", "lhc13"]) == 2
    assert "infinite cross section" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("gluons", [1, 2])
def test_no_cut_in_electron_positron_collisions(gluons, tmp_path, capsys):
    process = "e- e+ > d d~" + " g" * gluons
    assert run(["gen", process, str(tmp_path / "s.zarr"), "--points", "10", "--y-cut", "0"]) == 2
    assert "--y-cut 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
