"""``ampcli store``: what is there of a store, whether it is sound, and damaged parts made again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ampcli.cli.command import Result, command, progress_bar, resumable, show
from ampcli.cli.output import shown
from ampcli.cli.over_channels import over_channels
from ampcli.errors import AmpcliError, IntegrityError, NotFoundError

if TYPE_CHECKING:
    from ampcli.store.status import Claim, Status
    from ampcli.store.verify import Damage, Verified

app = typer.Typer(no_args_is_help=True, help="Stores: how far they are, whether they are sound, repair.")

StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", help="Folder or s3:// URL of a store, or of a sample.")]

_SHOWN = 8  # of long lists


@command(app, "status", "ampcli store status ee4.zarr")
def status(store: StoreArgument) -> Result:
    """Show which parts are done, running (by whom), stale and missing, and the command that goes on."""
    from ampcli.channels.record import channel_path, is_sample, read_sample_plan
    from ampcli.store.status import status_of

    if not is_sample(store):
        return _state(status_of(store))
    channels: dict[str, Any] = {}
    lines = []
    for channel in read_sample_plan(store).channels:
        path = channel_path(store, channel.name)
        result = _state(status_of(path)) if path.is_dir() else Result({"begun": False}, f"{path}: not begun")
        channels[channel.name] = result.document
        lines.append(result.text)
    return Result({"store": str(store), "channels": channels}, "\n".join(lines))


def _state(found: Status) -> Result:
    plan = found.plan
    document = {
        "store": str(found.path),
        "process": plan.process,
        "points": plan.points,
        "finished": found.finished,
        "parts": plan.parts,
        "done": len(found.done),
        "running": [_claim(claim) for claim in found.running],
        "stale": [_claim(claim) for claim in found.stale],
        "missing": found.missing,
        "bytes": found.bytes,
        "go_on": found.go_on,
    }
    lines = [
        f"{found.path}: {plan.points} points of {plan.process}, {found.bytes} bytes, "
        f"{'finished' if found.finished else 'not finished'}",
        f"{len(found.done)} of {plan.parts} parts are done",
    ]
    lines += [f"part {claim.part} is running: {claim.held or 'who does not say its name'}" for claim in found.running]
    lines += [f"part {claim.part} is stale: {claim.held or 'who does not say its name'}" for claim in found.stale]
    if found.missing:
        more = len(found.missing) - _SHOWN
        listed = ", ".join(map(str, found.missing[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
        lines.append(f"missing: {listed}")
    if found.go_on:
        lines.append(f"Go on: {found.go_on}")
    return Result(document, "\n".join(lines))


def _claim(claim: Claim) -> dict[str, Any]:
    held = claim.held
    who = {} if held is None else {"host": held.host, "pid": held.pid, "since": held.since}
    return {"part": claim.part, **who}


@command(app, "verify", "ampcli store verify ee4.zarr")
@over_channels(lambda values: values["store"], lambda values, store, channel: {"store": store})
def verify(store: StoreArgument) -> Result:
    """Read all of a store and compare it with its checksums; exit code 5 if something is damaged."""
    found = _verified(store)
    result = _sound(found)
    if found.damaged:
        show(Result(result.document, ""))
        raise IntegrityError(
            f"{store} is damaged:\n" + "\n".join(_line(damage) for damage in found.damaged),
            f"`ampcli store repair {store}` makes it again.",
        )
    return result


def _verified(store: Path) -> Verified:
    from ampcli.store.record import read_plan
    from ampcli.store.verify import verify

    try:
        points = read_plan(store).points
    except IntegrityError:
        points = None
    with progress_bar("points", points) as advance:
        return verify(store, advance)


def _sound(found: Verified) -> Result:
    document = {
        "store": str(found.path),
        "finished": found.finished,
        "parts": found.parts,
        "features": found.blocks,
        "damaged": [{"where": each.where, "part": each.part, "why": each.why} for each in found.damaged],
    }
    state = "" if found.finished else "; it is not finished"
    blocks = f" and features {', '.join(found.blocks)}" if found.blocks else ""
    return Result(document, f"{found.path}: {found.parts} parts{blocks} are as they were written{state}")


def _line(damage: Damage) -> str:
    place = damage.where if damage.part is None else f"{damage.where}, part {damage.part}"
    return f"  {place}: {damage.why}"


@command(app, "repair", "ampcli store repair ee4.zarr")
@over_channels(lambda values: values["store"], lambda values, store, channel: {"store": store})
def repair(
    store: StoreArgument,
    device: Annotated[str, typer.Option(help="Of features: auto, cpu or cuda.")] = "cpu",
) -> Result:
    """Make damaged parts again, bit for bit as they were; what would come out differently is not written."""
    from ampcli.device import choose_device
    from ampcli.store.features import repair_features
    from ampcli.store.reader import open_store

    before = _verified(store)
    if not before.damaged:
        return _sound(before)
    with resumable(f"{store} is not worse than before", "Run the same command again."):
        if any(damage.block is None for damage in before.damaged):
            _generate_again(store)
        opened = open_store(store)
        for block in sorted({damage.block for damage in before.damaged if damage.block in before.blocks}):
            repair_features(opened, str(block), choose_device(device))
    after = _verified(store)
    if after.damaged:
        raise IntegrityError(
            f"{store} is still damaged:\n" + "\n".join(_line(damage) for damage in after.damaged),
            f"Features are written anew by `ampcli features {store} BLOCK --replace`.",
        )
    result = _sound(after)
    repaired = [{"where": each.where, "part": each.part} for each in before.damaged]
    lines = [f"repaired {each.where}" + (f", part {each.part}" if each.part else "") for each in before.damaged]
    return Result(result.document | {"repaired": repaired}, "\n".join([*lines, result.text]))


def _generate_again(store: Path) -> None:
    """`ampcli gen --resume` as the store was made.

    Raises:
        NotFoundError: the store does not say how, or what it was made from is gone.
    """
    from ampcli.cli.app import build_app
    from ampcli.store.status import made_by

    process, asked, file = made_by(store)
    words = ["gen", process, str(asked), "--config", str(file), "--resume", "--quiet"]
    kept = shown.json, shown.quiet, shown.verbose
    try:
        typer.main.get_command(build_app()).main(words, prog_name="ampcli", standalone_mode=False)
    except (NotFoundError, FileNotFoundError) as error:
        what = error.what if isinstance(error, AmpcliError) else f"there is no {error.filename}"
        raise NotFoundError(
            f"{store} cannot be made again: {what}",
            f"Nothing was changed. Its command is in {file}: put back what it needs, at the same place.",
        ) from None
    finally:
        shown.json, shown.quiet, shown.verbose = kept
