"""What fuzzing feeds: for every kind of input, real ones, how they are changed, and the functions that read them.

A function of `READERS` loads what it needs and returns another, which makes one input from random numbers and has it
read.  Both run in a folder of their own.
"""

from __future__ import annotations

from collections.abc import Callable

from faults import document_readers, file_readers
from faults.mutators import Run
from faults.starts import Starts

#: By name: how many inputs, and what makes and reads them.
READERS: dict[str, tuple[int, Callable[[Starts], Run]]] = {
    "process strings": (35_000, document_readers.processes),
    "numbers": (5_000, document_readers.numbers),
    "TOML": (15_000, document_readers.configurations),
    "manifests and aliases": (14_000, document_readers.manifests),
    "models": (3_000, file_readers.models),
    "LHE": (10_000, file_readers.event_files),
    "npz": (8_000, file_readers.npz_files),
    "archives": (3_000, file_readers.archives),
    "stores": (5_000, document_readers.stores),
    "unfinished stores": (400, document_readers.unfinished_stores),
    "checkpoints": (3_000, document_readers.checkpoints),
    "samples": (2_000, document_readers.samples),
    "bundles": (3_000, file_readers.bundles),
}
