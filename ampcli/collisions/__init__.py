"""Classes of collisions: what a store's points are, what was asked of them, and what follows from it.

A class of collisions is one file here and an entry in `AnyCollisions`; its points are drawn by ampcli/generation.
"""

from __future__ import annotations

from typing import Annotated

import pydantic

from ampcli.collisions.given import GivenEvents
from ampcli.collisions.leptons import LeptonCollisions
from ampcli.collisions.protons import ProtonCollisions

AnyCollisions = Annotated[LeptonCollisions | GivenEvents | ProtonCollisions, pydantic.Field(discriminator="kind")]
