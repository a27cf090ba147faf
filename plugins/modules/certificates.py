#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: Keep the TLS certificates of a web server's sites
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Keeps one file for each site, C(<name>.pem), with its private key and its certificates, replaced in one step.
  - Makes certificates, or takes given ones. For a site whose certificate an issuer signs it makes one that serves until
    then, and says that the site waits.
  - Files of sites that are not listed are removed, at once or by a later call.
attributes:
  check_mode:
    description: Can run in check mode and predicts which certificates would change.
    support: full
  diff_mode:
    description: Shows names and dates of certificates, never keys.
    support: full
options:
  path:
    description: Directory of the files.
    type: path
    required: true
  sites:
    description: The sites.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      server_names:
        description: Host names of the site.
        type: list
        elements: str
        required: true
      tls:
        description: Where its certificate comes from.
        type: str
        choices: [self_signed, files, acme]
        required: true
  files:
    description:
      - For each site with O(sites[].tls=files), by its name, C(certificate) and C(key) in PEM.
      - They must belong together, be for all host names of the site, and not have expired.
    type: dict
    default: {}
  acme_directory:
    description:
      - For sites with O(sites[].tls=acme), URL of the directory of the issuer that signs.
      - A site whose certificate certbot had from another directory waits for this one. Empty, and any will do.
      - A site whose certificate certbot does not renew waits in any case, for instance one that had a given one so far.
    type: str
    default: ""
  acme_hook:
    description:
      - The deploy hook of the certificates that certbot has for O(sites[].tls=acme). By it they are told from those
        that certbot has for others. Empty, and none is taken for theirs.
    type: str
    default: ""
  group:
    description: Group that may read the files.
    type: str
    default: www-data
  steps:
    description:
      - V(keep) keeps a file for each site, V(remove) removes those of sites that are not listed.
      - A web server that reads its certificates with each handshake wants the files of its old sites for as long as its
        old configuration is in force, so V(remove) may have to come later.
    type: list
    elements: str
    choices: [keep, remove]
    default: [keep, remove]
"""

EXAMPLES = r"""
- name: Make a certificate for tests
  evenkeel.fleet.certificates:
    path: /etc/nginx/tls
    sites:
      - {name: notes, server_names: [notes.test], tls: self_signed}

- name: Remove what the web server reads no longer, now that it has its new configuration
  evenkeel.fleet.certificates:
    path: /etc/nginx/tls
    sites:
      - {name: notes, server_names: [notes.test], tls: self_signed}
    steps: [remove]
"""

RETURN = r"""
waiting:
  description:
    - Names of the sites whose certificate an issuer has to sign, because there is none that would do.
    - Empty where O(steps) has only V(remove).
  type: list
  elements: str
  returned: success
abandoned:
  description: Names of the certificates with the hook O(acme_hook) that certbot renews for no listed site any more.
  type: list
  elements: str
  returned: success
expires:
  description: When the certificate of each site expires, by its name, as Unix time.
  type: dict
  returned: success
"""

import grp
import os
import socket
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _openssl
from ansible_collections.evenkeel.fleet.plugins.module_utils._certificates import (
    OTHER_NAMES,
    Certificate,
    bundle,
    certified_names,
    covers,
    directory_of,
    fault,
    hook_of,
)

SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "sites": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "server_names": {"type": "list", "elements": "str", "required": True},
            "tls": {"type": "str", "choices": ["self_signed", "files", "acme"], "required": True},
        },
    },
    "files": {"type": "dict", "default": {}, "no_log": True},
    "acme_directory": {"type": "str", "default": ""},
    "acme_hook": {"type": "str", "default": ""},
    "group": {"type": "str", "default": "www-data"},
    "steps": {"type": "list", "elements": "str", "choices": ["keep", "remove"], "default": ["keep", "remove"]},
}

Site = t.Mapping[str, t.Any]

# Where certbot keeps, by the name of a site, how its certificate is renewed.
RENEWALS = "/etc/letsencrypt/renewal"


class Authority:
    """What signs certificates of our own; made when it is first needed."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        pem = _files.read_text(f"{directory}/ca.pem")
        # It signs itself, so it is its own issuer.
        self.name = _openssl.certificate(pem).issuer if pem else ""

    def sign(self, site: Site) -> str:
        if not self.name:
            pem, key = _openssl.make_authority(f"evenkeel on {socket.gethostname()[:40]}")
            _files.write_file(f"{self.directory}/ca.key", key.encode(), 0o600)
            _files.write_file(f"{self.directory}/ca.pem", pem.encode(), 0o644)
            self.name = _openssl.certificate(pem).issuer
        names = certified_names(site["server_names"])
        return bundle(*_openssl.make_certificate(site["name"], names, self.directory), site["name"])


def given(site: Site, files: t.Mapping[str, t.Any], now: float) -> str:
    """The file of a site whose certificate was given. Raises ValueError if visitors would not be served with it."""
    name, pair = site["name"], files.get(site["name"])
    if not isinstance(pair, dict) or set(pair) != {"certificate", "key"}:
        raise ValueError(f"site {name} wants files.{name} with certificate and key")
    pem = bundle(str(pair["certificate"]), str(pair["key"]), name)
    said = _openssl.certificate(pem)
    if not _openssl.fits(pem):
        raise ValueError(f"the key of site {name} is not the one of its certificate")
    wanted = certified_names(site["server_names"])
    if not covers(said, wanted):
        raise ValueError(f"the certificate of site {name} is for {sorted(said.names)}; wanted {sorted(wanted)}")
    if said.expires < now:
        raise ValueError(f"the certificate of site {name} has expired on {date(said)}")
    return pem


def date(certificate: Certificate) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(certificate.expires))


def write(path: str, pem: str, group: str) -> None:
    try:
        gid = grp.getgrnam(group).gr_gid
    except KeyError:
        raise ValueError(f"group {group} does not exist on this host") from None
    _files.write_file(path, pem.encode(), 0o640, gid)


class Keeper:
    """Goes through the sites, and remembers what there was, what there is now, and which wait for an issuer."""

    def __init__(self, params: t.Mapping[str, t.Any], check: bool) -> None:
        self.path, self.group, self.files = params["path"], params["group"], params["files"]
        self.acme_directory = params["acme_directory"]
        self.check, self.now = check, time.time()
        self.authority = Authority(f"{self.path}/ca")
        self.before: dict[str, str] = {}
        self.after: dict[str, str] = {}
        self.waiting: list[str] = []
        self.expires: dict[str, int] = {}

    def keep(self, site: Site) -> None:
        name, file = site["name"], f"{self.path}/{site['name']}.pem"
        pem = _files.read_text(file)
        seen = _openssl.certificate(pem) if pem else None
        make = self.replacement(site, pem, seen)
        self.before[name] = self.after[name] = said(seen)
        if make:
            self.after[name] = "a new one"
        if make and not self.check:
            pem = make()
            write(file, pem, self.group)
            seen = _openssl.certificate(pem)
            self.after[name] = said(seen)
        if seen:
            self.expires[name] = seen.expires

    def replacement(self, site: Site, pem: str | None, seen: Certificate | None) -> t.Callable[[], str] | None:
        """What makes the file of the site that is wanted instead; None if the one that is there will do."""
        if site["tls"] == "files":
            wanted = given(site, self.files, self.now)
            return (lambda: wanted) if wanted != pem else None
        why = fault(seen, certified_names(site["server_names"]), self.now)
        ours = seen is not None and seen.issuer == self.authority.name
        if site["tls"] == "acme":
            if seen is None or ours or why == OTHER_NAMES or seen.expires < self.now or not self.renewed(site):
                self.waiting.append(site["name"])
            return (lambda: self.authority.sign(site)) if seen is None else None
        return (lambda: self.authority.sign(site)) if why or not ours else None

    def renewed(self, site: Site) -> bool:
        """Whether certbot has the certificate renewed by the wanted issuer.

        It knows nothing of one that was bought, and perhaps has it from an issuer for trials.
        """
        renewal = _files.read_text(f"{RENEWALS}/{site['name']}.conf")
        if renewal is None:
            return False
        had = directory_of(renewal)
        return not (self.acme_directory and had and had != self.acme_directory)

    def remove_others(self, names: t.Collection[str]) -> None:
        for file in sorted(os.listdir(self.path) if os.path.isdir(self.path) else []):
            name = file.partition(".pem")[0]
            if file.endswith((".pem", ".pem.new")) and name not in names:
                self.before[name], self.after[name] = "there", "gone"
                if not self.check:
                    os.unlink(f"{self.path}/{file}")


def abandoned(hook: str, sites: t.Iterable[Site]) -> list[str]:
    """Which certificates certbot renews by this hook for sites that have none from an issuer any more."""
    kept = {f"{site['name']}.conf" for site in sites if site["tls"] == "acme"}
    files = sorted(os.listdir(RENEWALS)) if hook and os.path.isdir(RENEWALS) else []
    others = [file.removesuffix(".conf") for file in files if file.endswith(".conf") and file not in kept]
    return [name for name in others if hook_of(_files.read_text(f"{RENEWALS}/{name}.conf") or "") == hook]


def said(seen: Certificate | None) -> str:
    return f"{', '.join(sorted(seen.names))} until {date(seen)}, by {seen.issuer}" if seen else "none"


def keep(params: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    keeper = Keeper(params, check)
    if "keep" in params["steps"]:
        for site in params["sites"]:
            keeper.keep(site)
    if "remove" in params["steps"]:
        keeper.remove_others({site["name"] for site in params["sites"]})
    return {
        "changed": keeper.before != keeper.after,
        "waiting": keeper.waiting,
        "abandoned": abandoned(params["acme_hook"], params["sites"]),
        "expires": keeper.expires,
        "diff": {"before": keeper.before, "after": keeper.after},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {}
    try:
        result = keep(module.params, module.check_mode)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
