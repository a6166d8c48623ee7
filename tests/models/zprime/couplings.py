from .object_library import Coupling

LEPTON = Coupling("LEPTON", "-(ee*complex(0,1))", {"QED": 1})
QUARK = Coupling("QUARK", "(2*ee*complex(0,1))/3", {"QED": 1})
GLUON = Coupling("GLUON", "complex(0,1)*G", {"QCD": 1})
GLUONS3 = Coupling("GLUONS3", "-G", {"QCD": 1})
GLUONS4 = Coupling("GLUONS4", "complex(0,1)*G**2", {"QCD": 2})
ZL = Coupling("ZL", "complex(0,1)*gl", {"NP": 1})
ZR = Coupling("ZR", "complex(0,1)*gr", {"NP": 1})
ZQ = Coupling("ZQ", "complex(0,1)*gq", {"NP": 1})
ZS = Coupling("ZS", "complex(0,1)*gs", {"NP": 1})
ZZS = Coupling("ZZS", "2*complex(0,1)*gs**2", {"NP": 2})

all_couplings = [LEPTON, QUARK, GLUON, GLUONS3, GLUONS4, ZL, ZR, ZQ, ZS, ZZS]
