"""A UFO model for the tests: photon, gluon, electron, muon, u quark, a heavy Z', and a scalar that couples to it."""

from . import coupling_orders, couplings, lorentz, parameters, particles, vertices

all_particles = particles.all_particles
all_parameters = parameters.all_parameters
all_orders = coupling_orders.all_orders
all_lorentz = lorentz.all_lorentz
all_couplings = couplings.all_couplings
all_vertices = vertices.all_vertices
