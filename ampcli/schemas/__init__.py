"""What ``--json`` writes: a JSON Schema (draft 2020-12) for each command, with the meaning of every key.

``COMMAND.json`` has the keys that a command makes itself.  Three things in these files stand for what is elsewhere:

- ``{"$ref": "common.json#/$defs/NAME"}``: what several commands have;
- ``{"$ref": "ampcli.MODULE:CLASS"}``: a record, described by its fields and their documentation (`schemas.records`);
- ``"fieldsOf": "ampcli.MODULE:CLASS"``: the keys of a record beside those that are here.
"""
