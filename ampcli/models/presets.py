"""Hidden layers by name."""

from __future__ import annotations

import itertools

from ampcli.errors import UsageError, setting

_MOST_WEIGHTS = 10**9

#: Hidden layers of the papers' networks (FAME, Secs. 3.1 and 2.4.2; Amplitude Surrogates, Table 2), and two of our own:
#: for accuracy, and for speed (docs/results/sizes.md).
PRESETS: dict[str, tuple[int, ...]] = {
    "small": (20, 40, 20),
    "large": (64, 128, 256, 512, 768, 386, 128, 64),
    "surrogate": (128, 256, 256, 128, 128, 64),
    "residual": (160,) * 7,
    "fast": (128,) * 5,
}


def hidden_layers(preset: str, own: str | None) -> tuple[int, ...]:
    """The hidden layers of a preset, or those written as ``64,64,32``.

    Raises:
        UsageError: an unknown preset, or something that is no list of widths.
    """
    if own is None:
        if preset not in PRESETS:
            raise UsageError(f'unknown preset "{preset}"', f"Known: {', '.join(PRESETS)}.")
        return PRESETS[preset]
    try:
        widths = tuple(int(word) for word in own.split(","))
    except ValueError:
        widths = ()
    if not widths or min(widths) < 1:
        raise UsageError(f"{setting('hidden')} {own}: write the widths of the layers as 64,64,32")
    if sum(before * after for before, after in itertools.pairwise((1, *widths))) > _MOST_WEIGHTS:
        raise UsageError(f"{setting('hidden')} {own}: more than {_MOST_WEIGHTS:.0e} weights", "Take narrower layers.")
    return widths
