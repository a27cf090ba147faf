"""Damage what is in the remote store: swap the newest dump, delete the newest snapshot, cut the newest archive."""

from __future__ import annotations

import sys
from pathlib import Path

STORE = Path("/srv/store/backups/db1")

readable = [path for path in STORE.glob("**/*") if path.suffix in (".dump", ".sql", ".rdb", ".gz")]
if readable:
    sys.exit(f"wanted nothing but encrypted files, found {readable}")
swapped = max(STORE.glob("database/notes/*/notes.dump.age"))
swapped.write_bytes(bytes(swapped.stat().st_size))
max(STORE.glob("redis/*/dump.rdb.age")).unlink()
cut = max(STORE.glob("files/uploads/*/files.tar.gz.age"))
cut.write_bytes(cut.read_bytes()[:-1])
