"""A host cannot read its history: of each set only the newest backup lies here as it was, the others are encrypted."""

from __future__ import annotations

import sys

sys.path.insert(0, "/usr/local/lib/evenkeel-backup/current")

from evenkeel_backup import manifest, repository, settings

HERE = settings.read()
KNOWN = (manifest.NAME, manifest.MARKS)

for name in HERE.sets:
    *older, _newest = repository.backups(HERE.directory, name)
    files = [file for backup in older for file in backup.path.iterdir() if file.name not in KNOWN]
    readable = [str(file) for file in files if file.suffix != manifest.SEALED]
    if readable or not files:
        sys.exit(f"{name}: wanted older backups, and all of them encrypted; found {readable or 'none'}")
