from .object_library import Lorentz

FFV = Lorentz("FFV", [2, 2, 3], "Gamma(3,2,1)")
FFVL = Lorentz("FFVL", [2, 2, 3], "Gamma(3,2,-1)*ProjM(-1,1)")
FFVR = Lorentz("FFVR", [2, 2, 3], "Gamma(3,2,-1)*ProjP(-1,1)")
VSS = Lorentz("VSS", [3, 1, 1], "P(1,2) - P(1,3)")
VVSS = Lorentz("VVSS", [3, 3, 1, 1], "Metric(1,2)")

all_lorentz = [FFV, FFVL, FFVR, VSS, VVSS]
