from .object_library import Parameter

ZERO = Parameter("ZERO", "internal", "0.0")
inverse_alpha = Parameter("aEWM1", "external", 132.507, "SMINPUTS", [1])
alpha_s = Parameter("aS", "external", 0.118, "SMINPUTS", [3])
gl = Parameter("gl", "external", 0.25, "ZPRIME", [1])  # of charged leptons, left-handed
gr = Parameter("gr", "external", 0.10, "ZPRIME", [2])  # right-handed
gq = Parameter("gq", "external", 0.20, "ZPRIME", [3])  # of the u quark
gs = Parameter("gs", "external", 0.30, "ZPRIME", [4])  # of the scalar
MZp = Parameter("MZp", "external", 600.0, "MASS", [9900032])
WZp = Parameter("WZp", "external", 15.0, "DECAY", [9900032])
ratio = Parameter("ratio", "external", 0.25, "ZPRIME", [5])
MS = Parameter("MS", "internal", "MZp*ratio")
ee = Parameter("ee", "internal", "2*cmath.sqrt(cmath.pi/aEWM1)")
G = Parameter("G", "internal", "2*cmath.sqrt(cmath.pi*aS)")

all_parameters = [ZERO, inverse_alpha, alpha_s, gl, gr, gq, gs, MZp, WZp, ratio, MS, ee, G]
