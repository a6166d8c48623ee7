"""e- e+ -> q q~ g by the exchange of a photon: the closed form, its singularities as features, a network between."""
