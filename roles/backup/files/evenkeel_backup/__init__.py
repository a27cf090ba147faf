# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups that prove themselves, and restores that can be undone. Standard library only.

Pure, without clock or I/O: settings, schedule, outcome, manifest, keep, metrics, sql, wal, runs.
The rest talks to the host: commands, repository, postgres, pgbackrest, redis, files, remote, seal, cluster, backup,
restore, restore_cluster, job, cli.
"""
