"""Our kinds of models, declared without what they are made of: help and completion need no torch."""

from __future__ import annotations

from ampcli.features.radiations import IMPROVED_MARK, parse_radiations
from ampcli.models.kinds import Choice, ModelKind
from ampcli.models.network import NETWORKS
from ampcli.models.options import FameOptions, FksOptions, LikelihoodOptions, MomentumOptions
from ampcli.records.settings import Settings

#: What docs/results/z-jets.md and fame.md found better than the settings of the papers.
_IMPROVED = Settings(
    preset="residual",
    residual=True,
    activation="gelu",
    batch_size=1024,
    optimiser="soap",
    learning_rate=1e-2,
    schedule="one-cycle",
)

FAME = ModelKind(
    name="fame",
    ansatz="ampcli.models.fame:FameAnsatz",
    options=FameOptions,
    reads=("recoil", "dipoles", "rest_momenta"),
    models=("fame",),
    choose={"fame": Choice(FameOptions(), block="fame")}.get,
    card="Factorisation-aware emulator: coefficients of Catani-Seymour dipoles (Maître, Truong 2021).",
)

ANTENNA = ModelKind(
    name="antenna",
    ansatz="ampcli.models.antenna:AntennaAnsatz",
    options=LikelihoodOptions,
    reads=("inputs", "terms"),
    models=("fame+",),
    choose={
        "fame+": Choice(
            LikelihoodOptions(beta=0.5), block="antenna", settings=_IMPROVED.model_copy(update={"learning_rate": 5e-3})
        )
    }.get,
    card="Coefficients of colour-string antennae, with its own uncertainty: FAME with a better ansatz.",
)

PLAIN = ModelKind(
    name="plain",
    ansatz="ampcli.models.plain:PlainAnsatz",
    options=MomentumOptions,
    reads=(),
    models=("plain",),
    choose={"plain": Choice(MomentumOptions())}.get,
    card="Plain network on momenta, trained on log|M|^2: a baseline without factorisation.",
)

SINGLE = ModelKind(
    name="single",
    ansatz="ampcli.models.single:SingleAnsatz",
    options=MomentumOptions,
    reads=(),
    models=("single",),
    choose={"single": Choice(MomentumOptions())}.get,
    card="One network for |M|^2 itself (Badger, Bullock 2020): earlier work, to compare with.",
)

FKS = ModelKind(
    name="fks",
    ansatz="ampcli.models.fks:FksAnsatz",
    options=FksOptions,
    reads=(),
    models=("fks-ensemble",),
    choose={"fks-ensemble": Choice(FksOptions(), networks=("separate",))}.get,
    card="A network for every FKS pair, one for the rest (Badger, Bullock 2020): earlier work, to compare with.",
)

#: Amplitude Surrogates, Table 2.
_PAPER = Settings(
    preset="surrogate", activation="gelu", batch_size=256, schedule="cosine", floor=1e-8, weight_decay=0.01
)
_ON_PARTICLES = Settings(preset="own", batch_size=256, schedule="cosine", floor=1e-8)


def _choose(model: str) -> Choice | None:
    """nofa, the radiations fg1, iq1, fg1^2, ... as in the paper, or with a mark better; networks on momenta (lgatr)."""
    name = model.lower()
    paper = name.removesuffix(IMPROVED_MARK)
    if name in NETWORKS and NETWORKS[name].on_particles:
        return Choice(LikelihoodOptions(), block="momenta", networks=(name,), settings=_ON_PARTICLES)
    if paper != "nofa" and parse_radiations(paper) is None:
        return None
    block = "invariants" if paper == "nofa" else name
    options, settings = (LikelihoodOptions(), _PAPER) if name == paper else (LikelihoodOptions(beta=0.5), _IMPROVED)
    return Choice(options, block, ("mlp", "bayesian"), settings)


FACTORISED = ModelKind(
    name="factorised",
    ansatz="ampcli.models.factorised:FactorisedAnsatz",
    options=LikelihoodOptions,
    reads=("inputs", "kernel", "reduced_amplitude"),
    models=(
        "fg1",
        "fg1+",
        "iq1",
        "iq1+",
        "nofa",
        "nofa+",
        *(network.name for network in NETWORKS if network.on_particles),
    ),
    choose=_choose,
    card="Surrogate on the features {block}, with its own uncertainty (Beccatini et al. 2025).",
)

RATIO = ModelKind(
    name="ratio",
    ansatz="ampcli.models.ratio:RatioAnsatz",
    options=LikelihoodOptions,
    reads=("inputs", "base"),
    models=("ratio",),
    choose={"ratio": Choice(LikelihoodOptions(beta=0.5), block="ratio", settings=_IMPROVED)}.get,
    card="Ratio to a reference amplitude, of either sign, with its own uncertainty.",
)
