"""Kinds of models, networks and optimisers: what one declares is all that it takes, also from another package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from pydantic import Field
from samples import of_older_schema, older_training

import ampcli
from ampcli import plugins
from ampcli.cli.app import build_app
from ampcli.cli.main import run
from ampcli.errors import IntegrityError, UsageError
from ampcli.models.fame import FameAnsatz
from ampcli.models.kinds import KINDS, Choice, ModelKind, chosen, model_names, recipe_settings
from ampcli.models.network import NETWORKS
from ampcli.models.options import FameOptions, MomentumOptions, Options
from ampcli.models.plain import PlainAnsatz
from ampcli.records.settings import Settings
from ampcli.records.training import Recipe
from ampcli.registry.manifest import MANIFEST, manifest_bytes, read_manifest
from ampcli.registry.resolve import resolve
from ampcli.registry.storage import WEIGHTS, read_weights
from ampcli.seal import sealed
from ampcli.training.checkpoint import State, load_checkpoint, save_checkpoint
from ampcli.training.optimiser import OPTIMISERS
from ampcli.training.schedule import Progress

# --- a kind of another package


class HalvedOptions(MomentumOptions):
    strength: float = Field(default=0.5, gt=0, le=2, description="How much the loss counts.")
    reversed: bool = Field(default=False, description="Nothing.")


@dataclass(frozen=True)
class HalvedAnsatz(PlainAnsatz):
    """A plain model whose loss is multiplied by a number."""

    strength: float = 0.0

    @classmethod
    def unfitted(cls, process, shapes, options):
        plain = PlainAnsatz.unfitted(process, shapes, options)
        return cls(plain.momenta, plain.target, options.strength)

    @classmethod
    def fit(cls, process, arrays, amplitude, options, one_unit=False):
        plain = PlainAnsatz.fit(process, arrays, amplitude, options)
        return cls(plain.momenta, plain.target, options.strength)

    def losses(self, outputs, batch):
        error, penalty = super().losses(outputs, batch)
        return self.strength * error, penalty


HALVED = ModelKind(
    name="halved",
    ansatz=HalvedAnsatz,
    options=HalvedOptions,
    reads=(),
    models=("half", "half+"),
    choose={
        "half": Choice(HalvedOptions()),
        "half+": Choice(HalvedOptions(strength=1.5), settings=Settings(batch_size=77)),
    }.get,
    card="Half of a plain model.",
)


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch):
    """Makes the installed packages have these kinds."""

    def install(**kinds: str) -> None:
        points = [EntryPoint(name, f"{__name__}:{attribute}", "ampcli.models") for name, attribute in kinds.items()]
        monkeypatch.setattr(plugins, "entry_points", lambda **group: EntryPoints(points).select(**group))
        monkeypatch.delitem(vars(KINDS), "_theirs", raising=False)

    yield install
    vars(KINDS).pop("_theirs", None)


@pytest.fixture
def halved(theirs):
    theirs(halved="HALVED")


@pytest.mark.usefixtures("halved")
def test_help_and_completion_know_it(capsys):
    assert run(["train", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "lgatr, lloca, half, half+, ..." in text
    assert "--strength <float range> How much the loss counts. For half, half+." in text
    assert "default: (0.5; half+ 1.5); x<=2" in text
    assert "single, fks-ensemble, half, half+." in text  # whose option --orient is
    assert "half+ 77" in text
    model = next(p for p in typer.main.get_command(build_app()).commands["train"].params if p.name == "model")
    found = [item.value for item in model.shell_complete(None, "ha")]
    assert found == ["half", "half+"]


@pytest.mark.usefixtures("halved")
def test_its_model_is_trained_described_and_used(capsys, tmp_path, store3):
    train = ["train", str(store3.path), "--name", "h", "--registry", str(tmp_path), "--epochs", "2", "--hidden", "8"]
    assert run([*train, "--model", "half", "--strength", "0.25", "--orient", "--json"]) == 0, capsys.readouterr().err
    (document,) = json.loads(capsys.readouterr().out)["models"]
    assert document["kind"] == document["training"]["kind"] == "halved"
    assert document["training"]["options"] == {"orient": True, "strength": 0.25, "reversed": False}
    assert document["card"].startswith("Half of a plain model. Trained on")
    amplitude, _ = ampcli.load("h", tmp_path).predict(store3.read_split("momenta", "test"))
    assert np.isfinite(amplitude).all()
    assert run(["registry", "verify", "--registry", str(tmp_path)]) == 0
    assert run([*train, "--model", "half+", "--epochs", "1"]) == 0
    training = read_manifest(resolve(tmp_path, "h@2")).training
    assert (training.batch_size, training.options.strength) == (77, 1.5)


@pytest.mark.usefixtures("halved")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--model", "fame", "--strength", "0.5"],
            "--strength has no effect for --model fame\n  It is for half, half+.",
        ),
        (["--model", "half", "--penalty", "0"], "--penalty has no effect for --model half\n  It is for fame."),
        (["--model", "half", "--bayesian"], "--bayesian has no effect for --model half"),
        (["--model", "half", "--strength", "3"], "'--strength': Input should be less than or equal to 2"),
        (["--model", "half", "--strength", "0"], "--strength: Input should be greater than 0"),
        (["--model", "hal"], "--model hal: unknown\n  Known: fame, "),
    ],
)
def test_what_is_refused(capsys, store3, words, said):
    assert run(["train", str(store3.path), "--name", "h", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_model_whose_package_is_gone(theirs, capsys, tmp_path, store3):
    theirs(halved="HALVED")
    train = ["train", str(store3.path), "--name", "h", "--registry", str(tmp_path), "--epochs", "1", "--hidden", "8"]
    assert run([*train, "--model", "half"]) == 0
    theirs()
    with pytest.raises(IntegrityError, match=r'unknown kind of model "halved"'):
        read_manifest(resolve(tmp_path, "h"))
    assert run(["registry", "verify", "--registry", str(tmp_path)]) == 5


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [("NO_SUCH_NAME", "cannot be loaded: AttributeError: "), ("HalvedAnsatz", "is no ModelKind")],
)
def test_a_model_whose_package_is_broken(theirs, capsys, caplog, tmp_path, store3, registry, attribute, reason):
    theirs(halved="HALVED")
    named = ["--name", "h", "--registry", str(tmp_path), "--epochs", "1", "--hidden", "4", "--threads", "1"]
    train = ["train", str(store3.path), *named, "--model"]
    assert run([*train, "half"]) == 0
    capsys.readouterr()
    theirs(halved=attribute)
    said = f'the kind of model "halved" of an installed package {reason}'
    assert run([*train, "plain"]) == 0
    assert run([*train, "halved"]) == 1
    assert f"ampcli: error: {said}" in capsys.readouterr().err
    assert run([*train, "half"]) == 2  # nobody knows what that was
    assert "ampcli: error: --model half: unknown" in capsys.readouterr().err
    assert run(["eval", "h@1", str(store3.path), "--registry", str(tmp_path)]) == 5
    assert said in capsys.readouterr().err
    assert run(["eval", "fame3", str(store3.path), "--registry", str(registry), "--threads", "1"]) == 0
    (warning,) = (message for message in caplog.messages if "halved" in message)
    assert warning.startswith(said)


class OtherOptions(Options):
    strength: str = Field(default="much", description="Of another type.")


class CommonOptions(Options):
    epochs: int = Field(default=1, description="Of all kinds.")


def _kind(name: str, options: type[Options]) -> ModelKind:
    return ModelKind(name, HalvedAnsatz, options, (), (name,), {name: Choice(options())}.get, "")


OTHER, COMMON = _kind("other", OtherOptions), _kind("common", CommonOptions)


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"halved": "HALVED", "other": "OTHER"}, 'an option "strength" of different types'),
        ({"common": "COMMON"}, 'common has an option "epochs", a name that this command has for another'),
        ({"fame": "HALVED"}, "a name that is taken"),
    ],
)
def test_options_and_names_that_are_taken(theirs, capsys, kinds, said):
    theirs(**kinds)
    assert run(["train", "--help"]) != 0
    assert said in capsys.readouterr().err
    assert run(["gen", "--help"]) == 0  # other commands do not ask


# --- our own


def test_every_name_means_what_its_kind_says():
    for name in model_names():
        kind, choice = chosen(name)
        assert name in kind.models
        assert isinstance(choice.options, kind.options)
        assert all(network in NETWORKS for network in choice.networks)
        assert choice.settings.optimiser in OPTIMISERS
        recipe = Recipe(**recipe_settings(name), hidden=(3,), seeds=(1,), dataset_digest="d")
        assert (recipe.kind, recipe.options) == (kind.name, choice.options)
    assert {chosen(name)[0].name for name in model_names()} == set(KINDS.names)


def test_declarations_have_the_names_of_the_catalogues():
    for catalogue in (KINDS, NETWORKS, OPTIMISERS):
        assert tuple(thing.name for thing in catalogue) == catalogue.names


def test_a_recipe_records_the_options_of_its_kind_alone():
    recipe = Recipe(**recipe_settings("fame+"), hidden=(3,), seeds=(1,), dataset_digest="d")
    assert recipe.model_dump()["options"] == {"beta": 0.5}
    again = Recipe.model_validate_json(recipe.model_dump_json())
    assert again == recipe
    assert type(again.options) is type(recipe.options)
    with pytest.raises(UsageError, match='unknown kind of model "fam"'):
        Recipe(kind="fam", hidden=(3,), seeds=(1,), dataset_digest="d")
    with pytest.raises(ValueError, match="penalty: Extra inputs"):
        Recipe(kind="plain", hidden=(3,), seeds=(1,), dataset_digest="d", options=FameOptions())


def test_checkpoints_of_older_versions_are_read(tmp_path):
    """Whose recipes held the options of all kinds side by side."""
    recipe = Recipe(
        **recipe_settings("fame"), hidden=(3,), seeds=(1,), dataset_digest="d", features={"version": 1, "options": {}}
    )
    state = State(recipe=recipe, progress=[Progress(learning_rate=1.0)], history=[[]], epoch=3)
    content = json.loads(state.model_dump_json())
    older = SimpleNamespace(model_dump_json=lambda: json.dumps(content | {"recipe": older_training(content["recipe"])}))
    save_checkpoint(tmp_path / "c.safetensors", older, {"parameters": torch.zeros(2)})
    assert load_checkpoint(tmp_path / "c.safetensors", torch.device("cpu"))[0] == state


# --- numbers that older versions kept among the weights


def older_tensors(ansatz: FameAnsatz, widths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    known = {
        "scale.sizes": [ansatz.n_dipoles, ansatz.n_azimuths],
        "scale.momenta.legs_and_orient": [ansatz.momenta.n_final, ansatz.momenta.orient],
        "scale.penalty": ansatz.penalty,
    }
    older = {name: torch.tensor(value, dtype=torch.float64) for name, value in known.items()}
    return {**older, "widths": torch.tensor(widths)}


def as_older(registry, tmp_path, **forged):
    """fame3@1 of the registry as a version of schema 1 wrote it, but for forged tensors."""
    import hashlib

    from safetensors.torch import save

    folder = tmp_path / "fame3" / "1"
    source = resolve(registry, "fame3@1")
    manifest = read_manifest(source)
    network = ampcli.load("fame3@1", registry).networks[0]
    tensors = read_weights(source, manifest) | older_tensors(network.ansatz, manifest.architecture.widths) | forged
    folder.mkdir(parents=True)
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / WEIGHTS).write_bytes(save(tensors))
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    content = of_older_schema(json.loads(manifest_bytes(manifest)), 2) | {"weights_sha256": digest}
    (folder / MANIFEST).write_text(json.dumps(sealed(content)))
    return tmp_path


def test_models_with_numbers_among_their_weights(registry, tmp_path, store3):
    final = store3.read_split("momenta", "test")
    older = ampcli.load("fame3", as_older(registry, tmp_path)).predict(final)[0]
    assert np.array_equal(older, ampcli.load("fame3@1", registry).predict(final)[0])


@pytest.mark.parametrize("name", ["scale.sizes", "scale.momenta.legs_and_orient", "scale.penalty", "widths"])
@pytest.mark.parametrize("change", [lambda t: t + 1, lambda t: t.float(), lambda t: t[..., None]])
def test_numbers_among_the_weights_that_contradict_the_manifest(registry, tmp_path, name, change):
    network = ampcli.load("fame3@1", registry).networks[0]
    architecture = read_manifest(resolve(registry, "fame3@1")).architecture
    known = older_tensors(network.ansatz, architecture.widths)
    forged = as_older(registry, tmp_path, **{name: change(known[name])})
    with pytest.raises(IntegrityError, match=f"its tensor {name}"):
        ampcli.load("fame3", forged)


def test_numbers_of_other_kinds_belong_to_nothing(registry, tmp_path):
    forged = as_older(registry, tmp_path, **{"scale.near": torch.tensor(0.02, dtype=torch.float64)})
    with pytest.raises(IntegrityError, match=r"scale.near|a tensor 'near'"):
        ampcli.load("fame3", forged)


def test_new_models_keep_scales_alone_beside_their_parameters(registry):
    folder = resolve(registry, "fame3@1")
    names = set(read_weights(folder, read_manifest(folder)))
    scales = {"momenta.mean", "momenta.deviation", "log_recoil.mean", "log_recoil.deviation"}
    scales |= {"target.mean", "target.deviation", "s_pred", "s_dipole"}
    assert names == {"parameters", *(f"scale.{name}" for name in scales)}
