#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Stage releases of a service and record which one is current
version_added: 1.0.0
description:
  - A release is a directory that holds everything that decides how an instance behaves, namely the artifact,
    the systemd unit, and for each slot the environment, credentials and config files. It never changes once it has
    its name.
  - Without O(unit) it is the release of a front end, files for a web server. Then C(kept) in the root leads to the
    files of all releases that are there together; of files with the same name it has the current release's.
  - Its id is C(<version>-<digest>); equal inputs give an equal id on every host.
  - It is put together beside the others, verified, synced to disk, and published by a rename. A damaged one is
    replaced.
attributes:
  check_mode:
    description: Can run in check mode and predicts whether anything would change.
    support: full
  diff_mode:
    description: Shows releases and links. Values of the environment, credentials and config files are never shown.
    support: full
options:
  state:
    description:
      - V(staged) makes sure that the release is there and whole.
      - V(current) records O(id) as the release that the host settled on, the one before as C(previous), and removes
        releases that nobody needs any more.
      - V(absent) removes the release O(id). One that is in use is refused.
    type: str
    choices: [staged, current, absent]
    default: staged
  id:
    description: Id of the release. Required for O(state=current) and O(state=absent).
    type: str
  version:
    description: Version of the artifact. Required for O(state=staged).
    type: str
  artifact:
    description:
      - The tar archive, or the program itself. Required for O(state=staged).
      - An C(http://) or C(https://) URL is fetched by the host. A download that was interrupted goes on where it
        ended, and one that fails is tried five times.
      - Anything else is a path on the controller, or on the host with O(remote_src=true). A relative path on the
        controller is looked for like the C(src) of M(ansible.builtin.copy), in C(files/) of role and playbook and
        beside the playbook.
    type: str
  artifact_sha256:
    description:
      - SHA-256 of the artifact, 64 hexadecimal digits. It or O(artifact_checksums) is required for O(state=staged).
    type: str
  artifact_checksums:
    description:
      - URL, or path on the controller, of a file with SHA-256 sums as C(sha256sum) prints them, in which the artifact
        is listed by its file name.
      - The controller reads it once for all hosts of a run, so the sum, and the release's id, is the same on all.
    type: str
  artifact_signature:
    description:
      - URL, or path on the controller, of a detached signature. It is that of O(artifact_checksums) if these are given,
        else of the artifact. It wants O(artifact_minisign_key) or O(artifact_gpg_keyring).
      - It is verified on the controller, by C(minisign) or C(gpgv), before a release is staged. For the signature of an
        artifact behind a URL the controller fetches the artifact as well.
    type: str
  artifact_minisign_key:
    description: The public key for C(minisign), 56 characters that begin with C(RW).
    type: str
  artifact_gpg_keyring:
    description:
      - Path on the controller of a keyring for C(gpgv), as C(gpg --export) writes it. Any key in it is trusted.
    type: str
  artifact_path:
    description: Directory inside the archive that counts; the rest of the archive is left out.
    type: str
    default: ""
  artifact_headers:
    description:
      - Headers to ask with for whatever is a URL, such as C(Authorization). They are not sent on to where a server
        redirects.
    type: dict
    default: {}
  artifact_proxy:
    description: URL of the proxy to fetch with. Without it the environment's own counts.
    type: str
  program:
    description:
      - Path of the program inside the archive, or inside O(artifact_path) of it; where the artifact is the program
        itself, the path it is put at.
      - It must be there and be built for the machine that the host is. The default is the service's name.
      - Of a front end, its first page; by default V(index.html).
    type: str
  remote_src:
    description: Whether a path in O(artifact) is on the host.
    type: bool
    default: false
  unit:
    description:
      - Text of the systemd template unit, in which C(%i) is the slot.
      - Without it there are no instances, and so no O(environment), O(secrets), O(credentials), O(files), O(ports) and
        O(live_path).
      - A text of which systemd on the host would ignore a part, such as a directive that it does not know, is refused.
    type: str
  environment:
    description:
      - Environment variables of the instances.
      - In a value, C(@@NAME@@) stands for the value that O(slot_environment) has under this name for the slot. A name
        that it does not have is refused.
    type: dict
    default: {}
  slot_environment:
    description: Environment variables that differ between the slots, such as ports.
    type: dict
    default: {}
    suboptions:
      blue:
        description: Environment variables of the instance in the slot V(blue).
        type: dict
        default: {}
      green:
        description: Environment variables of the instance in the slot V(green).
        type: dict
        default: {}
  secrets:
    description: Environment variables whose values must appear nowhere; they lie in a file that only root can read.
    type: dict
    default: {}
  credentials:
    description:
      - Secrets that systemd hands over as files, as a mapping of name to value. They lie in C(credentials/) of the
        slot, readable for root alone, and the unit names each in a C(LoadCredential=).
      - The name wants letters, digits and C(_). All values together may have 1 MiB.
    type: dict
    default: {}
  files:
    description:
      - Config files, as a mapping of relative path to content.
      - In the content, C(@@NAME@@) stands for a value of O(slot_environment), as in O(environment).
      - They lie in C(config/) of the slot, readable for root and O(group).
    type: dict
    default: {}
  ports:
    description:
      - Ports at which the instances are reached, the one that users reach first.
      - They belong to the release. As long as it is in a slot, M(evenkeel.fleet.slot) and
        M(evenkeel.fleet.traffic_switch) use them, whatever they are given by then.
    type: list
    elements: dict
    suboptions:
      public:
        description: Port at which others reach the service, whichever slot is active.
        type: int
        required: true
      blue:
        description: Port of the instance in the slot V(blue).
        type: int
        required: true
      green:
        description: Port of the instance in the slot V(green).
        type: int
        required: true
  live_path:
    description: Path that answers 200 while an instance lives, for those who want to know that later.
    type: str
  group:
    description: Group that may read the config files.
    type: str
    default: root
  keep:
    description: How many releases to keep besides those in use, the current and the previous one.
    type: int
    default: 3
  keep_seconds:
    description: For how long a front end's release is kept after it was current, besides those that O(keep) keeps.
    type: int
    default: 0
extends_documentation_fragment:
  - evenkeel.fleet.service
  - evenkeel.fleet.service.rollout
"""

EXAMPLES = r"""
- name: Stage a release
  evenkeel.fleet.release:
    service: notes
    version: 1.1.0
    artifact: https://artifacts.example.com/notes-1.1.0.tar.gz
    artifact_sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    unit: "{{ notes_unit }}"
    environment: {RUST_LOG: info}
    slot_environment: {blue: {PORT: 8001}, green: {PORT: 8002}}
    secrets: {DATABASE_URL: "{{ vault_notes_database_url }}"}

- name: Stage a release of a front end
  evenkeel.fleet.release:
    service: shop
    root: /srv/shop
    version: 2.0.0
    artifact: https://artifacts.example.com/shop-2.0.0.tar.gz
    artifact_sha256: fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9

- name: Record it as current
  evenkeel.fleet.release:
    service: notes
    state: current
    id: 1.1.0-5feceb66ffc8
"""

RETURN = r"""
id:
  description: Id of the release.
  type: str
  returned: success
  sample: 1.1.0-5feceb66ffc8
path:
  description: Directory of the release.
  type: str
  returned: success
  sample: /opt/notes/releases/1.1.0-5feceb66ffc8
exposure:
  description:
    - How exposed an instance is, from 0 to 10, as C(systemd-analyze security) reckons from its unit. Null where the
      release is not staged yet, in check mode, and for a front end.
  type: float
  returned: O(state=staged)
  sample: 1.1
removed:
  description: Ids of the releases that were removed.
  type: list
  elements: str
  returned: O(state=current)
"""

import grp
import os
import time
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _front_end, _installed, _staging, _state
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PORTS, ROLLOUT, SERVICE
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SLOTS, Layout, release_of
from ansible_collections.evenkeel.fleet.plugins.module_utils._quiet import QuietModule
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import Content, Records, Settings, release_files

SPEC: dict[str, t.Any] = {
    **SERVICE,
    **ROLLOUT,
    "state": {"type": "str", "choices": ["staged", "current", "absent"], "default": "staged"},
    "id": {"type": "str"},
    "version": {"type": "str"},
    "artifact": {"type": "str"},
    "artifact_sha256": {"type": "str"},
    "artifact_checksums": {"type": "str"},
    "artifact_signature": {"type": "str"},
    "artifact_minisign_key": {"type": "str", "no_log": False},
    "artifact_gpg_keyring": {"type": "str", "no_log": False},
    "artifact_path": {"type": "str", "default": ""},
    "artifact_headers": {"type": "dict", "default": {}, "no_log": True},
    "artifact_proxy": {"type": "str"},
    "program": {"type": "str"},
    "remote_src": {"type": "bool", "default": False},
    "unit": {"type": "str"},
    "environment": {"type": "dict", "default": {}},
    "slot_environment": {
        "type": "dict",
        "default": {},
        "options": {"blue": {"type": "dict", "default": {}}, "green": {"type": "dict", "default": {}}},
    },
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "credentials": {"type": "dict", "default": {}, "no_log": True},
    "files": {"type": "dict", "default": {}, "no_log": True},
    "ports": {**PORTS["ports"], "required": False},
    "live_path": {"type": "str"},
    "group": {"type": "str", "default": "root"},
    "keep": {"type": "int", "default": 3, "no_log": False},
    "keep_seconds": {"type": "int", "default": 0, "no_log": False},
}


# What only instances have.
INSTANCES = ("environment", "secrets", "credentials", "files", "ports", "live_path")

# Nobody stages one release for so long.
STAGING_SECONDS = 3600


def content_of(params: t.Mapping[str, t.Any], layout: Layout) -> Content:
    if params["unit"] is None:
        given = [name for name in INSTANCES if params[name]]
        if given:
            raise ValueError(f"{', '.join(given)} given without a unit; a front end has no instances to give it to")
        return Content(params["version"], params["artifact_sha256"], {}, params["artifact_path"])
    settings = Settings(
        environment=params["environment"],
        slot_environment=params["slot_environment"] or {},
        secrets=params["secrets"],
        credentials=params["credentials"],
        files=params["files"],
    )
    files = release_files(layout.unit_template, params["unit"], settings)
    endpoint = {name: params[name] for name in ("ports", "live_path") if params[name]}
    return Content(params["version"], params["artifact_sha256"], files, params["artifact_path"], endpoint)


def group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ValueError(f"group {name} does not exist on this host; create it before staging a release") from None


def stage(module: AnsibleModule, layout: Layout) -> dict[str, t.Any]:
    params = module.params
    content = content_of(params, layout)
    before = _installed.releases(layout)
    changed = not _installed.is_whole(layout, content.id)
    if changed and not module.check_mode:
        source = _staging.Source(params["artifact"], params["artifact_headers"], params["artifact_proxy"] or "")
        if params["artifact_signature"] or not (params["remote_src"] or source.is_url):
            # The action plugin of the same name verifies it, brings it, and asks again.
            said = f"artifact {source.name} is not on this host, or its signature is not verified"
            module.fail_json(msg=said, artifact_wanted=True)
        program = params["program"] or (params["service"] if content.files else "index.html")
        _staging.stage(layout, content, source, program, group=group_id(params["group"]))
    if not (content.files or module.check_mode):
        _front_end.gather(layout, _installed.releases(layout))
    after = before if content.id in before else [*before, content.id]
    return {
        "changed": changed,
        "id": content.id,
        "path": layout.release(content.id),
        "exposure": _installed.manifest(layout, content.id).get("exposure"),
        "diff": {"before": {"releases": before}, "after": {"releases": after}},
    }


def make_current(module: AnsibleModule, layout: Layout) -> dict[str, t.Any]:
    wanted = module.params["id"]
    before = Records(
        release_of(_files.read_link(layout.current)),
        release_of(_files.read_link(layout.previous)),
        _installed.releases(layout),
    )
    if wanted not in before.releases and not module.check_mode:
        raise ValueError(f"release {wanted} is not staged in {layout.releases}; there are: {before.releases}")
    in_slots = {release_of(_files.read_link(layout.slot(slot))) for slot in SLOTS}
    since = time.time() - module.params["keep_seconds"]
    in_use = in_slots | {name for name, published in _installed.times(layout).items() if published > since}
    after = before.settled_on(wanted, in_use, module.params["keep"])
    removed = [release for release in before.releases if release not in after.releases]
    if before != after:
        _state.check_write(layout, module)
    if not module.check_mode:
        is_front_end = not _installed.has_instances(layout, wanted)
        if is_front_end and before.current not in ("", wanted):
            # Its time tells since when it is not current any more.
            os.utime(layout.release(before.current))
        if after.previous != before.previous:
            _files.replace_link(layout.previous, f"releases/{after.previous}")
        if after.current != before.current:
            _files.replace_link(layout.current, f"releases/{after.current}")
        for release_id in removed:
            _installed.remove(layout, release_id)
        if is_front_end:
            _front_end.gather(layout, _installed.releases(layout))
        _staging.sweep(layout, before=time.time() - STAGING_SECONDS)
    return {
        "changed": before != after,
        "id": wanted,
        "path": layout.release(wanted),
        "removed": removed,
        "diff": {"before": asdict(before), "after": asdict(after)},
    }


def remove(module: AnsibleModule, layout: Layout) -> dict[str, t.Any]:
    unwanted = module.params["id"]
    path = layout.release(unwanted)
    before = _installed.releases(layout)
    if unwanted in _installed.linked(layout):
        raise ValueError(f"release {unwanted} is in use: it is current, previous or in a slot; nothing was removed")
    if unwanted in before:
        _state.check_write(layout, module)
    if unwanted in before and not module.check_mode:
        _installed.remove(layout, unwanted)
    return {
        "changed": unwanted in before,
        "id": unwanted,
        "path": path,
        "diff": {
            "before": {"releases": before},
            "after": {"releases": [release for release in before if release != unwanted]},
        },
    }


def main() -> None:
    module = QuietModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_if=[
            ("state", "staged", ["version", "artifact", "artifact_sha256"]),
            ("state", "current", ["id"]),
            ("state", "absent", ["id"]),
        ],
    )
    act = {"staged": stage, "current": make_current, "absent": remove}[module.params["state"]]
    result: dict[str, t.Any] = {}
    try:
        layout = Layout.of(module.params["service"], module.params["root"])
        result = act(module, layout)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
