"""`ampcli gen`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Literal

import typer

from ampcli.cli.command import RegistryOption, Result, command, progress_bar, resumable, save_configuration
from ampcli.cli.effect import Values, not_with, only_if, only_with
from ampcli.cli.event_options import OnShellOption, ProcessOnlyOption, RepairOption
from ampcli.cli.executor import gen_jobs
from ampcli.cli.gen_report import finished, planned
from ampcli.cli.lepton_options import has_charged_leptons
from ampcli.cli.names import provider_names, starting_with
from ampcli.errors import UsageError


def add(app: typer.Typer) -> None:
    command(
        app,
        "gen",
        'ampcli gen "e- e+ > d d~ g g" ee4.zarr --points 100k --y-cut 1e-3 --workers 2',
        late=_provider,
        jobs=gen_jobs(_check),
    )(gen)


def _check(values: Values) -> None:
    """Refuse before jobs are submitted what each of them would refuse; code that amplitudes need is made once, here."""
    gen(**{**values, "dry_run": True, "no_finish": True})
    if values["store"].exists() and not values["resume"]:
        raise UsageError(f"{values['store']} exists already", "Continue it with --resume, or choose another name.")


def _provider() -> list[inspect.Parameter]:
    """The names of providers."""
    *names, auto = provider_names()
    option = typer.Option(
        help=f"Exact amplitudes: {', '.join(names)}, or {auto}: the first that covers the process and is not known to "
        "be wrong; python:MODULE:FUNCTION: a function of your own; table:COLUMN: values in the file of --momenta; "
        "olp:LIBRARY[:tree|finite|born] (BLHA2) and umami:LIBRARY: a shared library.",
        autocompletion=starting_with(provider_names),
    )
    annotation = Annotated[str, option]
    return [inspect.Parameter("provider", inspect.Parameter.KEYWORD_ONLY, default=auto, annotation=annotation)]


_HADRONS = "Hadron collisions"
_SAMPLED = not_with("momenta")
_LEPTONS = not_with("momenta", "beams")
_PROTONS = only_with("beams")
_CHARGED = only_if(has_charged_leptons, 'for "{process}", which has no outgoing charged lepton')


_MANY = only_if(
    lambda values: _is_inclusive(values), 'for "{process}": it has none of the multiparticles p, j, l+, l-, vl, vl~'
)


def _is_inclusive(values: Values) -> bool:
    """Whether the process has multiparticles."""
    from ampcli.channels.multiparticles import named_definitions, used

    return bool(used(values["process"], named_definitions(values["define"] or [])))


_OF_LIBRARIES = ("olp:", "umami:")


def _has_library(values: Values) -> bool:
    """Whether amplitudes are those of a shared library."""
    return str(values["provider"]).startswith(_OF_LIBRARIES)


def _can_skip(values: Values) -> bool:
    return values["momenta"] is not None or _has_library(values)


_LIBRARY = only_if(_has_library, "without --provider olp:LIBRARY or umami:LIBRARY")


def gen(
    process: Annotated[
        str,
        typer.Argument(help='In MadGraph syntax: "e- e+ > d d~ g g", or with multiparticles: "p p > z j j".'),
    ],
    store: Annotated[Path, typer.Argument(help="Folder of the new store.")],
    points: Annotated[
        str | None,
        typer.Option(help="Number of accepted points, for example 500k or 2M.", show_default="all of --momenta"),
    ] = None,
    sqrt_s: Annotated[
        float, typer.Option(help="Centre-of-mass energy in GeV of e+e- and the like."), _LEPTONS
    ] = 1000.0,
    y_cut: Annotated[float, typer.Option(help="Smallest s_ij / s, of e+e- and the like."), _LEPTONS] = 1e-3,
    cuts: Annotated[
        Literal["durham", "jade"],
        typer.Option(
            help="durham: --y-cut and at most one parton unresolved (FAME); jade: --y-cut alone, and legs of any kind."
        ),
        _LEPTONS,
    ] = "durham",
    sampling: Annotated[
        Literal["flat", "mixed"],
        typer.Option(
            help="Of e+e-: flat phase space (FAME), or mixed: half of the points flat, half where |M|^2 is large; "
            "their weights differ."
        ),
        not_with("momenta", "beams", "unweighted"),
    ] = "flat",
    seed: Annotated[int, typer.Option(help="Seed of the phase-space points."), _SAMPLED] = 1,
    workers: Annotated[int, typer.Option(help="Processes that work at once.")] = 1,
    part: Annotated[
        str | None,
        typer.Option(
            help="I/N: make only every N-th part, from the I-th; slurm: I and N of this task of a Slurm array. The "
            "last one to be done finishes the store."
        ),
        not_with("executor"),
    ] = None,
    no_finish: Annotated[
        bool,
        typer.Option("--no-finish", help="Leave the end of the store to a command with --resume."),
        only_with("part"),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a store; rewrite damaged parts.")] = False,
    provider: str = "auto",
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of a UFO model, whose amplitudes pyamplicol makes; FOLDER-NAME: with its card "
            "restrict_NAME.dat. Its Python files are run."
        ),
    ] = None,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Take an amplitude that is refused because it is not right."),
    ] = False,
    signed: Annotated[
        bool,
        typer.Option(
            "--signed",
            help="Values may have either sign (loop corrections, interferences): of python:, table: and the like.",
        ),
    ] = False,
    time_limit: Annotated[
        float, typer.Option(help="Seconds after which a point of a library counts as failed."), _LIBRARY
    ] = 60.0,
    accuracy: Annotated[
        float, typer.Option(help="Worst relative accuracy of a point of a library, where it tells."), _LIBRARY
    ] = 1e-3,
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option(
            help="Where amplitudes are computed. Stores made on a GPU (native) have a digest of their own: the last "
            "digits may differ."
        ),
    ] = "cpu",
    parameter: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the provider, such as alpha_s=0.13 or m_z=91.1876.")
    ] = None,
    momenta: Annotated[
        Path | None,
        typer.Option(help="Take the points from this file: npz with momenta (n, legs, 4), or a .lhe file."),
    ] = None,
    process_only: Annotated[ProcessOnlyOption, only_with("momenta")] = False,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            help="Leave out events that are not physical, and points at which a library fails, and count them.",
        ),
        only_if(_can_skip, "without --momenta or a library (--provider olp:, umami:)"),
    ] = False,
    repair: Annotated[RepairOption, only_with("momenta"), not_with("on_shell")] = False,
    on_shell: Annotated[OnShellOption, only_with("momenta")] = False,
    beams: Annotated[
        str | None,
        typer.Option(help="Proton beams: lhc13, lhc13.6, lhc14, fcc100 (TeV).", rich_help_panel=_HADRONS),
        _SAMPLED,
    ] = None,
    pt_min: Annotated[
        float, typer.Option(help="Smallest pT of a jet in GeV.", rich_help_panel=_HADRONS), _PROTONS
    ] = 20.0,
    eta_max: Annotated[float, typer.Option(help="Largest |eta| of a jet.", rich_help_panel=_HADRONS), _PROTONS] = 5.0,
    delta_r: Annotated[
        float, typer.Option(help="Smallest Delta R of two jets.", rich_help_panel=_HADRONS), _PROTONS
    ] = 0.4,
    lepton_pt_min: Annotated[
        float,
        typer.Option(help="Smallest pT of a charged lepton in GeV.", rich_help_panel=_HADRONS),
        _PROTONS,
        _CHARGED,
    ] = 10.0,
    lepton_eta_max: Annotated[
        float, typer.Option(help="Largest |eta| of a charged lepton.", rich_help_panel=_HADRONS), _PROTONS, _CHARGED
    ] = 2.5,
    delta_r_ll: Annotated[
        float,
        typer.Option(help="Smallest Delta R of two charged leptons.", rich_help_panel=_HADRONS),
        _PROTONS,
        _CHARGED,
    ] = 0.4,
    delta_r_jl: Annotated[
        float,
        typer.Option(help="Smallest Delta R of a jet and a charged lepton.", rich_help_panel=_HADRONS),
        _PROTONS,
        _CHARGED,
    ] = 0.4,
    m_ll_min: Annotated[
        float,
        typer.Option(help="Smallest mass of two charged leptons in GeV.", rich_help_panel=_HADRONS),
        _PROTONS,
        _CHARGED,
    ] = 0.0,
    scale: Annotated[
        float | None, typer.Option(help="mu_R = mu_F in GeV.", show_default="H_T/2", rich_help_panel=_HADRONS), _PROTONS
    ] = None,
    pdf: Annotated[
        str, typer.Option(help="Parton density: an LHAPDF set or grid file.", rich_help_panel=_HADRONS), _PROTONS
    ] = "NNPDF23_lo_as_0130_qed",
    alpha_s_mz: Annotated[
        float | None,
        typer.Option(
            help="alpha_s(M_Z) of weights, which runs with the scale.",
            show_default="that of --pdf",
            rich_help_panel=_HADRONS,
        ),
        _PROTONS,
    ] = None,
    flavours: Annotated[
        int,
        typer.Option(min=1, max=5, help="Of quarks in p and j: 4 for d u s c, 5 for b too.", rich_help_panel=_HADRONS),
        _MANY,
    ] = 4,
    define: Annotated[
        list[str] | None,
        typer.Option(help='A multiparticle of your own, such as "j=g u d".', rich_help_panel=_HADRONS),
        _MANY,
    ] = None,
    unweighted: Annotated[
        bool, typer.Option("--unweighted", help="Events of equal weight (e+e- and protons)."), _SAMPLED
    ] = False,
    overweight: Annotated[
        float,
        typer.Option(help="Share of the cross section that may lie above the largest weight of unweighted events."),
        only_with("unweighted", "two_stage"),
    ] = 0.003,
    two_stage: Annotated[
        bool,
        typer.Option(
            "--two-stage",
            help="Two-stage unweighting (surrogate, then exact); pays off for slow amplitudes.",
            rich_help_panel=_HADRONS,
        ),
        _PROTONS,
    ] = False,
    surrogate: Annotated[
        Path | None,
        typer.Option(
            help="A speedup.json of `ampcli speedup --out` (of a sample: the folder): |M|^2 of its models where they "
            "are sure, exact elsewhere."
        ),
        _SAMPLED,
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(
            help="Model that predicts uncertainties: points are kept the more likely the less sure it is of them; "
            "weights make up for it."
        ),
        not_with("momenta", "surrogate"),
        only_if(lambda values: not _is_inclusive(values), 'for "{process}": name one channel'),
    ] = None,
    registry: RegistryOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done, with seconds, bytes and memory, and stop."),
        not_with("executor"),
    ] = False,
) -> Result:
    """Generate phase-space points and their exact |M|^2 into a store."""
    from ampcli.amplitudes.protocol import Limits
    from ampcli.amplitudes.providers import named_with_model, note_on
    from ampcli.channels.multiparticles import parse_definitions
    from ampcli.cli.gen_sample import gen_sample
    from ampcli.cli.numbers import parse_count, parse_parameters
    from ampcli.generation.generate import GenerationRequest, generate, parse_part, prepare
    from ampcli.generation.given_points import GivenFile
    from ampcli.generation.lepton_points import LeptonSettings
    from ampcli.generation.points import Settings
    from ampcli.generation.proton_points import ProtonSettings
    from ampcli.phasespace.cuts import JetCuts, LeptonCuts
    from ampcli.store.parts import BOOKS

    share = parse_part(part)
    if model is not None:
        provider = named_with_model(provider, model)
    count = None if points is None else parse_count("--points", points)
    collisions: Settings
    if momenta is not None:
        collisions = GivenFile(momenta, process_only, skip_bad, repair, on_shell)
    elif beams is not None:
        collisions = ProtonSettings(
            beams,
            JetCuts(pt_min, eta_max, delta_r),
            scale=scale,
            pdf=pdf,
            alpha_s_mz=alpha_s_mz,
            unweighted=unweighted,
            overweight=overweight,
            two_stage=two_stage,
            leptons=LeptonCuts(lepton_pt_min, lepton_eta_max, delta_r_ll, delta_r_jl, m_ll_min),
        )
    else:
        collisions = LeptonSettings(sqrt_s, y_cut, cuts, sampling, overweight if unweighted else None)
    request = GenerationRequest(
        process,
        store,
        count,
        collisions,
        seed=seed,
        provider=provider,
        parameters=parse_parameters("--parameter", parameter or []),
        unchecked=unchecked,
        signed=signed,
        limits=Limits(time_limit, accuracy) if provider.startswith(_OF_LIBRARIES) else None,
        skip_bad=skip_bad,
        device=device,
        surrogate=surrogate,
        refine=refine,
        registry=registry,
    )
    if _is_inclusive({"process": process, "define": define}):
        return gen_sample(
            request, parse_definitions(define or [], flavours), workers, share, resume, dry_run, not no_finish
        )
    job = prepare(request)
    notes = [collisions.note, job.note, note_on(job.plan.provider, job.provider.process)]
    note = "\n".join(text for text in notes if text) or None
    if dry_run:
        return planned(job, note, workers, measured=not no_finish)  # of a task of many nobody asks what it takes
    with (
        resumable(f"{store} keeps its finished parts", "Go on with --resume."),
        progress_bar("points", job.plan.points) as advance,
    ):
        attributes = generate(
            job,
            workers,
            share,
            resume,
            advance,
            finish=not no_finish,
            on_begun=lambda: _save_command(store / BOOKS),
            bars=progress_bar,
        )
    if attributes is None:
        return Result(
            {"store": str(store), "finished": False}, f"{store}: this share is done, the store is not finished"
        )
    return finished(job, attributes, note)


def _save_command(books: Path) -> None:
    """Save the command that makes a store, for who goes on with it or repairs it (`ampcli store`)."""
    save_configuration(books, "gen", leave_out=("part", "resume"))
