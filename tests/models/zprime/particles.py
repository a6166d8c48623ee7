from .object_library import Particle
from .parameters import MS, ZERO, MZp, WZp

photon = Particle(22, "a", "a", 3, 1, ZERO, ZERO, 0.0)
gluon = Particle(21, "g", "g", 3, 8, ZERO, ZERO, 0.0)
electron = Particle(11, "e-", "e+", 2, 1, ZERO, ZERO, -1.0, LeptonNumber=1)
muon = Particle(13, "mu-", "mu+", 2, 1, ZERO, ZERO, -1.0, LeptonNumber=1)
up = Particle(2, "u", "u~", 2, 3, ZERO, ZERO, 2 / 3)
zprime = Particle(9900032, "Zp", "Zp", 3, 1, MZp, WZp, 0.0)
scalar = Particle(9900042, "chi", "chi~", 1, 1, MS, ZERO, 0.0)

all_particles = [
    photon,
    gluon,
    zprime,
    *(particle for pair in ((each, each.anti()) for each in (electron, muon, up, scalar)) for particle in pair),
]
