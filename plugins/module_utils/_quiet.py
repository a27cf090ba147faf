# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. A module that does not tell the journal of the host what it was called with."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


class QuietModule(AnsibleModule):
    """For modules with secrets inside of lists, or of URLs.

    Ansible writes such a list into the journal the way Python prints it, and then masks the secrets that it finds
    there. One with a backslash, or with both kinds of quotes, is printed in another way than it is written, and is left
    to be read.
    """

    def _log_invocation(self) -> None:
        self.log("Invoked; what with is not told, for there are secrets in it")
