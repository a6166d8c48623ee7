"""Features of e+ e- -> q q~ g: logarithms of invariants, and the factor that is singular where the gluon is."""
