"""A campaign of faults: what ampcli does when it is killed, when files are damaged, when all write at once, when there
is no room, and when its input is nonsense.

    make faults                                         all of it (docs/results/faults.md)
    PYTHONPATH=tests python -m faults --short         a few dozen trials, as in tests/integration/test_faults.py
    PYTHONPATH=tests python -m faults --only flips --trial 17

Every campaign is a module with a class `Campaign`.  A trial is reproducible by its number: all that is random in it
follows from the campaign's name and that number (but the moment at which a kill arrives).
"""
