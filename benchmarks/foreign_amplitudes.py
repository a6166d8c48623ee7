"""pyAmpliCol's amplitudes against ampcli's brute-force trees, class by class: the table of docs/amplitudes.md.

    python benchmarks/foreign_amplitudes.py ["u u~ > z z" ...]

The default list takes a quarter of an hour the first time (every process is generated, one after another).
"""

from __future__ import annotations

import sys
from collections import defaultdict

from ampcli.amplitudes import artifacts, check, coverage
from ampcli.amplitudes.pyamplicol import PyAmplicol
from ampcli.process import parse_process

PROCESSES = """
e- e+ > mu- mu+; e- e+ > e- e+; e- mu- > e- mu-; e- e- > e- e-; e- e+ > a a; e- a > e- a; e- e+ > z a;
e- e+ > z z; e- e+ > w+ w-; e- e+ > z h; a a > w+ w-; z z > z z; w+ w- > w+ w-; w+ w- > z z; w+ z > w+ z;
z z > h h; w+ w- > h h; h h > h h; w+ a > w+ z; z h > z h; u u~ > w+ w-; d d~ > w+ w-; u u~ > z h; u d~ > w+ h;
u d~ > w+ z; u d~ > w+ a; u u~ > z z; u u~ > z a; u u~ > a a; u u~ > e- e+; u d~ > e+ ve; w+ w- > u u~;
a a > u u~; a g > u u~; u d~ > w+ g; g g > t t~; e- e+ > t t~; u u~ > d d~; u u > u u; u u~ > u u~; u u~ > t t~;
w+ w- > t t~; z z > t t~; h h > t t~; t t~ > z h; g t > h t; a a > t t~; e- e+ > mu- mu+ a; e- e+ > a a a;
e- e+ > w+ w- a; e- e+ > w+ w- z; e- e+ > z z z; e- e+ > e- e+ h; e- e+ > mu- vm~ w+; e- e+ > mu- mu+ z;
e- e+ > z h h; e- e+ > z z h; e- e+ > w+ w- h; u u~ > e- e+ a; u d~ > e+ ve a; u d~ > e+ ve g; u u~ > w+ w- g;
u u~ > z z g; u d~ > w+ z g; u u~ > z h g; u u~ > w+ w- z; u d~ > w+ h h; e- u > e- u g; g g > t t~ h;
g g > t t~ z; u u~ > t t~ h; e- e+ > t t~ h; e- e+ > t t~ z; e- e+ > t t~ g; g g > g g g; u u~ > d d~ g;
u u > u u g; u u~ > d d~ z; u u > u u z; u u > u d w+; u u~ > d d~ a; u u~ > u u~ a; u d > u d w+ w-;
u u~ > d d~ e- e+; u u > u u e- e+; u u~ > e- e+ mu- mu+; e- e+ > mu- mu+ ta- ta+; e- e+ > mu- mu+ mu- mu+;
e- e+ > u u~ d d~; e- e+ > u u~ u u~; e- e+ > u d~ mu- vm~; e- e+ > u u~ mu- mu+; e- e+ > u d~ d u~;
d d~ > u u~ s s~; u u~ > u u~ u u~; g g > u u~ d d~; u d~ > w+ e- e+; u u~ > e- e+ z; u u~ > e- e+ h;
u d~ > e+ ve h; u d~ > e+ ve z; u d~ > e+ ve g g; e- e+ > z h h h; z z > h h h; w+ w- > z h; a a > w+ w- z;
w+ w- > h h h; u u~ > w+ w- a; u u~ > w+ w- h; u u~ > z z z; u u~ > a a a; u d~ > w+ z z; u d~ > w+ a a;
u u~ > t t~ z; u u~ > t t~ a; g g > t t~ g; u u~ > t t~ g; u d~ > w+ t t~; t t~ > w+ w-; t b~ > w+ z;
t b~ > w+ g; b b~ > w+ w-; b b~ > z h; b b~ > t t~; g b > z b; u d~ > c c~ w+; u d > d d w+; u d~ > e+ ve s s~;
e- e+ > d d~ e- e+; u u~ > z h h h; t t~ > t t~; t t~ > h h; g g > t t~ h h; u u~ > w+ w- e- e+; a u > z u;
a a > t t~ h; e- a > e- z; e- z > e- z; h z > e- e+; z u > z u; e- e+ > t t~ a; u g > w+ d h; u g > w+ d a;
u g > e- e+ u g; u u~ > mu- mu+ h g; u u > u u g g; d d > d d; u u~ > z a g; u d~ > w+ a g; u d~ > w+ h g;
a g > t t~; e- e+ > z; u u~ > z; e- e+ > u u~ a; e- e+ > u u~ z; e- e+ > u u~ h; e- e+ > u d~ w-; e- e+ > w+ w-
 z a
"""


def main(texts: list[str]) -> None:
    found = defaultdict(list)
    for text in texts:
        process = parse_process(text)
        provider = PyAmplicol(process, unchecked=True)
        folder = artifacts.ensure_artifact(process)
        difference = check.difference(process, lambda p, f=provider, at=folder: f._values(at, p))
        against = "trees" if check.affordable(process) else "itself, turned"
        print(f"{text:28s} {difference:9.1e} ({against})", flush=True)
        found[coverage.class_of(process)].append(difference)
    for known, differences in found.items():
        verdict = "mixed" if known.mixed else "wrong" if known.fault else "right"
        print(f"{verdict:6s} {len(differences):3d} {min(differences):9.1e} {max(differences):9.1e}  {known.name}")


if __name__ == "__main__":
    main(sys.argv[1:] or [text.strip() for text in PROCESSES.replace("\n", " ").split(";")])
