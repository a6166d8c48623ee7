from .couplings import GLUON, LEPTON, QUARK, ZL, ZQ, ZR, ZS, ZZS
from .lorentz import FFV, FFVL, FFVR, VSS, VVSS
from .object_library import Particle, Vertex
from .particles import electron, gluon, muon, photon, scalar, up, zprime


def _of(lepton: Particle) -> list[Vertex]:
    return [
        Vertex(f"V_{lepton.name}a", [lepton.anti(), lepton, photon], ["1"], [FFV], {(0, 0): LEPTON}),
        Vertex(f"V_{lepton.name}z", [lepton.anti(), lepton, zprime], ["1"], [FFVL, FFVR], {(0, 0): ZL, (0, 1): ZR}),
    ]


all_vertices = [
    *_of(electron),
    *_of(muon),
    Vertex("V_ua", [up.anti(), up, photon], ["Identity(1,2)"], [FFV], {(0, 0): QUARK}),
    Vertex("V_uz", [up.anti(), up, zprime], ["Identity(1,2)"], [FFV], {(0, 0): ZQ}),
    Vertex("V_ug", [up.anti(), up, gluon], ["T(3,2,1)"], [FFV], {(0, 0): GLUON}),
    Vertex("V_sz", [zprime, scalar, scalar.anti()], ["1"], [VSS], {(0, 0): ZS}),
    Vertex("V_szz", [zprime, zprime, scalar, scalar.anti()], ["1"], [VVSS], {(0, 0): ZZS}),
]
