from .couplings import GLUON, GLUONS3, GLUONS4, LEPTON, QUARK, ZL, ZQ, ZR, ZS, ZZS
from .lorentz import FFV, FFVL, FFVR, VSS, VVSS, VVV, VVVV1, VVVV2, VVVV3
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
    Vertex("V_ggg", [gluon, gluon, gluon], ["f(1,2,3)"], [VVV], {(0, 0): GLUONS3}),
    Vertex(
        "V_gggg",
        [gluon, gluon, gluon, gluon],
        ["f(-1,1,2)*f(3,4,-1)", "f(-1,1,3)*f(2,4,-1)", "f(-1,1,4)*f(2,3,-1)"],
        [VVVV1, VVVV2, VVVV3],
        {(0, 0): GLUONS4, (1, 1): GLUONS4, (2, 2): GLUONS4},
    ),
    Vertex("V_sz", [zprime, scalar, scalar.anti()], ["1"], [VSS], {(0, 0): ZS}),
    Vertex("V_szz", [zprime, zprime, scalar, scalar.anti()], ["1"], [VVSS], {(0, 0): ZZS}),
]
