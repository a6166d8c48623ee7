"""Values of options from ``--config`` files and ``AMPCLI_...`` variables, and the files that commands leave."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ampcli.errors import NotFoundError, UsageError
from ampcli.files import read_file, replacing
from ampcli.objects import place

#: Variables that are no command's option.
_SHARED = {"AMPCLI_REGISTRY", "AMPCLI_CACHE", "AMPCLI_LEASE"}

# Parsing takes time and memory that grow as the square of the depth of a key: no configuration is near these.
_MOST_BYTES = 1 << 18
_MOST_DOTS = 1000


def read_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make a file's values the defaults of this command (table ``[command]``, or the whole file).

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is not TOML, or its values are not those of options.
    """
    if path is None or ctx.resilient_parsing:
        return path
    path = place(path)
    if not path.exists():
        raise NotFoundError(f"no configuration file {path}")
    values = _parsed(path)
    section = values.get(ctx.info_name or "", values)
    if not isinstance(section, dict):
        raise UsageError(f"{path}: {ctx.info_name} must be a table, [{ctx.info_name}], of this command's options")
    known = {str(parameter.name): parameter for parameter in ctx.command.params}
    values = {key.replace("-", "_"): value for key, value in section.items()}
    if others := [key for key, value in section.items() if isinstance(value, dict) and key not in known]:
        raise UsageError(
            f"{path} has a table [{others[0]}], and none for `ampcli {ctx.info_name}`",
            f"Options of this command stand in a table [{ctx.info_name}].",
        )
    if unknown := sorted(set(values) - set(known)):
        raise UsageError(
            f"{path}: {', '.join(unknown)} is no option of `ampcli {ctx.info_name}`",
            f"Known: {', '.join(sorted(set(known) - {'config'}))}.",
        )
    checked = {name: _as_given(f"{path}: {known[name].opts[0]}", known[name], value) for name, value in values.items()}
    ctx.default_map = {**(ctx.default_map or {}), **checked}
    return path


def _parsed(path: Path) -> dict[str, Any]:
    import tomllib

    content = read_file(path)
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{path} is no configuration: it has {len(content)} bytes", "A table of options is short.")
    try:
        text = content.decode()
        if max((line.count(".") for line in text.splitlines()), default=0) > _MOST_DOTS:
            raise UsageError(f"{path} is no configuration: a line with more than {_MOST_DOTS} dots")
        return tomllib.loads(text)
    except ValueError as error:  # not UTF-8, not TOML, or a number with thousands of digits
        raise UsageError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{path} is no configuration: its values are nested too deeply") from None


def _as_given(where: str, parameter: Any, value: Any) -> Any:
    """A value of a file as the flag would give it: numbers and words as text, which the option then reads.

    Raises:
        UsageError: a list where one value is taken, one value where a list is, a table, a date, a flag that is no
            boolean.
    """
    many = parameter.nargs == -1 or getattr(parameter, "multiple", False)
    if many:
        if not isinstance(value, list):
            raise UsageError(f"{where} takes a list", f"Write it as {parameter.name} = [{_toml(value)}].")
        return [_scalar(where, entry) for entry in value]
    if getattr(parameter, "is_flag", False):
        if not isinstance(value, bool):
            raise UsageError(f"{where} is true or false, not {_toml(value)}")
        return value
    return _scalar(where, value)


def _scalar(where: str, value: Any) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise UsageError(f"{where} takes a number or a text, not {_toml(value)}")
    if "\0" in (text := str(value)):
        raise UsageError(f"{where} holds a NUL character")
    return text


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_variables(ctx: typer.Context) -> None:
    """Refuse ``AMPCLI_COMMAND_...`` variables that are no option of this command; warn of those that are of none.

    Raises:
        UsageError: a misspelt variable of this command.
    """
    prefix = f"{ctx.auto_envvar_prefix}_"
    known = {f"{prefix}{str(parameter.name).upper()}" for parameter in ctx.command.params}
    commands = getattr(ctx.find_root().command, "commands", {})
    prefixes = tuple(f"AMPCLI_{name.upper()}_" for name in commands)
    for variable in _set_variables(os.environ):
        if variable.startswith(prefix) and variable not in known:
            raise UsageError(
                f"the variable {variable} is no option of `{ctx.command_path}`",
                _meant(variable, known) or f"Known: {', '.join(sorted(known))}.",
            )
        if variable not in _SHARED and not variable.startswith(prefixes):
            meant = _meant(variable, _SHARED | {f"{start}..." for start in prefixes})
            sys.stderr.write(f"ampcli: warning: the variable {variable} means nothing{f': {meant}' if meant else ''}\n")


def _set_variables(environment: Mapping[str, str]) -> list[str]:
    return sorted(name for name, value in environment.items() if name.startswith("AMPCLI_") and value)


def _meant(variable: str, known: set[str]) -> str | None:
    close = difflib.get_close_matches(variable, sorted(known), 1)
    return f"Did you mean {close[0]}?" if close else None


def configuration_text(name: str, values: Mapping[str, Any]) -> str:
    """A command's arguments and options as ``--config`` reads them; names that are not UTF-8 are left out."""
    import tomli_w

    text = {key: _writable(value) for key, value in values.items()}
    return tomli_w.dumps({name: {key: value for key, value in text.items() if _is_utf8(value)}})


def write_configuration(file: Path, name: str, values: Mapping[str, Any]) -> None:
    """Write `configuration_text`.

    Raises:
        AmpcliError: nothing can be written there.
    """
    with replacing(file) as draft:
        draft.write_bytes(configuration_text(name, values).encode())


def _writable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_writable(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _is_utf8(value: Any) -> bool:
    try:
        str(value).encode()
    except UnicodeEncodeError:  # a name that the file system holds as other bytes
        return False
    return True
