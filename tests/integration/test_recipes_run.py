"""`ampcli recipes`: ready runs are listed, shown, and run in a folder of their own."""

from __future__ import annotations

import tomllib

SMALL = ["--set", "gen.points=3k", "--set", "gen.workers=1", "--set", "train.epochs=1"]
SMALL += ["--set", "train.preset=small", "--set", "train.learning-rate=0.01"]


def test_all_recipes_are_listed_with_what_they_are_for(ampcli):
    listed = {recipe["name"]: recipe for recipe in ampcli("recipes", "list", "--json").document["recipes"]}
    assert listed["ee-4jets"]["commands"] == ["gen", "features", "train", "eval"]
    assert listed["ee-4jets"]["process"] == "e- e+ > d d~ g g"
    assert listed["z-jets-ddx"]["whole"]
    assert not listed["fame/fig2"]["whole"]  # it trains several kinds
    assert "d d~ > z g g g g" in ampcli("recipes", "list").stdout


def test_a_shown_recipe_is_a_configuration_file(ampcli):
    shown = tomllib.loads(ampcli("recipes", "show", "fame/5jets").stdout)
    assert shown == ampcli("recipes", "show", "fame/5jets", "--json").document["tables"]
    assert shown["train"]["model"] == "fame+"


def test_a_recipe_is_run_and_gone_on_with(ampcli, tmp_path):
    done = ampcli("recipes", "run", "ee-4jets", "ee4", *SMALL, "--json")
    assert set(done.document["seconds"]) == {"gen", "features", "train", "eval"}
    folder = ampcli.folder / "ee4"
    assert (folder / "results/ee-4jets/evaluation.json").is_file()
    assert (folder / "registry/ee-4jets/1/manifest.json").is_file()
    as_run = tomllib.loads((folder / "recipe.toml").read_text())
    assert as_run["gen"]["points"] == "3k"
    assert as_run["train"]["learning_rate"] == 0.01

    again = ampcli("recipes", "run", "ee-4jets", "ee4", *SMALL)
    assert again.stderr.count("(done already)") == 4

    others = ampcli.fails(2, "recipes", "run", "ee-4jets", "ee4", *SMALL[2:], naming=("other settings", "points"))
    assert "3k" in others.stderr
    ampcli("gen", "--config", folder / "recipe.toml", "--dry-run")


def test_what_cannot_be_run_is_refused(ampcli):
    ampcli.fails(4, "recipes", "show", "ee-4jet", naming="Did you mean ee-4jets?")
    ampcli.fails(2, "recipes", "run", "fame/fig2", "fig2", naming="its first lines say how")
    ampcli.fails(2, "recipes", "run", "ee-4jets", "x", "--set", "epochs=3", naming="COMMAND.OPTION=VALUE")
    ampcli.fails(2, "recipes", "run", "ee-4jets", "x", "--set", "speedup.out=y", naming="no command speedup")
    assert not (ampcli.folder / "x").exists()


def test_a_wrong_option_ends_the_run_with_the_commands_own_words(ampcli):
    ended = ampcli.run("recipes", "run", "ee-4jets", "wrong", "--set", "gen.pionts=3k")
    assert ended.code == 1
    assert "pionts is no option of `ampcli gen`" in ended.stderr
