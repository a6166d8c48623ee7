"""The application: all subcommands together."""

from __future__ import annotations

import sys

import typer

from ampcli import __version__


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ampcli {__version__}\n")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", is_eager=True, callback=_version, help="Show the version."),
) -> None:
    """Fast, factorisation-aware surrogates of exact scattering amplitudes."""


def build_app() -> typer.Typer:
    """The application with all its subcommands.  Nothing heavy (torch, zarr, matplotlib) is imported here."""
    from ampcli.cli import (
        ansatz,
        calibrate,
        check,
        completion,
        demo,
        doctor,
        ensemble,
        eval,
        export,
        features,
        gen,
        man,
        predict,
        recipes,
        registry,
        reweight,
        schema,
        speedup,
        store,
        surrogate,
        train,
        trajectory,
    )

    app = typer.Typer(
        name="ampcli",
        no_args_is_help=True,
        add_completion=False,  # `ampcli completion SHELL` prints the script
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"auto_envvar_prefix": "AMPCLI", "help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module in (
        gen,
        features,
        ansatz,
        train,
        ensemble,
        calibrate,
        eval,
        trajectory,
        speedup,
        predict,
        export,
        check,
        reweight,
        surrogate,
        demo,
        doctor,
        schema,
        completion,
        man,
    ):
        module.add(app)
    app.add_typer(store.app, name="store")
    app.add_typer(registry.app, name="registry")
    app.add_typer(recipes.app, name="recipes")
    return app
