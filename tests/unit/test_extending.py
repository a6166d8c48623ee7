"""docs/extending.md names files, classes and groups that there are."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "extending.md").read_text()
CODE = set(re.findall(r"`([^`\n]+)`", PAGE))
PATHS = sorted(word for word in CODE if "/" in word and " " not in word)
MODULES = sorted(word for word in CODE if re.fullmatch(r"ampcli(\.[a-z_]+)+", word))
GROUPS = {"ampcli.models", "ampcli.features", "ampcli.providers"}


@pytest.mark.parametrize("path", PATHS)
def test_files(path):
    assert (REPOSITORY / path).exists()


@pytest.mark.parametrize("module", [name for name in MODULES if name not in GROUPS])
def test_modules(module):
    importlib.import_module(module)


def test_groups():
    from ampcli.amplitudes.providers import PROVIDERS
    from ampcli.features.blocks import BLOCKS
    from ampcli.models.kinds import KINDS

    assert {PROVIDERS.group, BLOCKS.group, KINDS.group} == GROUPS <= set(MODULES)
    package = (REPOSITORY / "tests" / "plugins" / "pyproject.toml").read_text()
    for group in GROUPS:
        assert f'[project.entry-points."{group}"]' in package
    example = PAGE.split("```toml\n")[1].split("```")[0]
    assert example.strip() in package


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("ampcli.models.options", ("Options",)),
        ("ampcli.models.kinds", ("ModelKind", "KINDS")),
        ("ampcli.models.ansatz", ("Ansatz",)),
        ("ampcli.features.blocks", ("BlockKind", "BLOCKS")),
        ("ampcli.amplitudes.protocol", ("ProviderKind",)),
        ("ampcli.amplitudes.providers", ("PROVIDERS",)),
        ("ampcli.collisions", ("AnyCollisions",)),
        ("ampcli.kinematics", ("checked_momenta",)),
        ("ampcli.records.base", ("without_later",)),
    ],
)
def test_names(module, names):
    for name in names:
        assert hasattr(importlib.import_module(module), name)
        assert f"`{name}`" in PAGE
