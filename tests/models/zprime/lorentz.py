from .object_library import Lorentz

FFV = Lorentz("FFV", [2, 2, 3], "Gamma(3,2,1)")
FFVL = Lorentz("FFVL", [2, 2, 3], "Gamma(3,2,-1)*ProjM(-1,1)")
FFVR = Lorentz("FFVR", [2, 2, 3], "Gamma(3,2,-1)*ProjP(-1,1)")
VSS = Lorentz("VSS", [3, 1, 1], "P(1,2) - P(1,3)")
VVSS = Lorentz("VVSS", [3, 3, 1, 1], "Metric(1,2)")
VVV = Lorentz(
    "VVV",
    [3, 3, 3],
    "(P(3,1) - P(3,2))*Metric(1,2) + (P(1,2) - P(1,3))*Metric(2,3) + (P(2,3) - P(2,1))*Metric(1,3)",
)
VVVV1 = Lorentz("VVVV1", [3, 3, 3, 3], "Metric(1,4)*Metric(2,3) - Metric(1,3)*Metric(2,4)")
VVVV2 = Lorentz("VVVV2", [3, 3, 3, 3], "Metric(1,4)*Metric(2,3) - Metric(1,2)*Metric(3,4)")
VVVV3 = Lorentz("VVVV3", [3, 3, 3, 3], "Metric(1,3)*Metric(2,4) - Metric(1,2)*Metric(3,4)")

all_lorentz = [FFV, FFVL, FFVR, VSS, VVSS, VVV, VVVV1, VVVV2, VVVV3]
