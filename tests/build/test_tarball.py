"""The tarball holds what a user needs and nothing else, and runs from wherever it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {"LICENSE", "README.md", "CHANGELOG.rst", "changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
GENERATED = {"MANIFEST.json", "FILES.json"}
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())


def attempt(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment that knows nothing of the checkout."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env = clean | {"ANSIBLE_NOCOLOR": "1"} | environment
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def tool(*command: str, cwd: Path, **environment: str) -> str:
    """The output of a command, which must succeed."""
    done = attempt(*command, cwd=cwd, **environment)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    tool("ansible-galaxy", "collection", "build", "--output-path", str(dist), cwd=ROOT)
    (built,) = dist.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("collections")
    tool("ansible-galaxy", "collection", "install", str(tarball), "-p", str(path), "--offline", cwd=path)
    return path


def contents(tarball: Path) -> set[str]:
    with tarfile.open(tarball) as archive:
        return {member.name for member in archive.getmembers() if not member.isdir()}


def test_it_holds_the_sources_a_user_needs_and_nothing_else(tarball: Path) -> None:
    sources = tool("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    wanted = {name for name in sources if name.split("/")[0] in SHIPPED and (ROOT / name).exists()}
    wanted -= {name for name in wanted if name.startswith("changelogs/fragments/")}
    assert contents(tarball) == wanted | GENERATED


def test_it_installs_with_the_metadata_of_this_checkout(installed: Path) -> None:
    listed = tool("ansible-galaxy", "collection", "list", "-p", str(installed), "--format", "yaml", cwd=installed)
    found = yaml.safe_load(listed)[str(installed / "ansible_collections")]
    assert found == {"evenkeel.fleet": {"version": yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]}}


@pytest.mark.parametrize("role", ROLES)
def test_site_runs_by_its_full_name_from_an_empty_directory(role: str, installed: Path, tmp_path: Path) -> None:
    """It comes as far as the check of each role, which needs no host and refuses a setting that there is none of."""
    hosts = {role: {"hosts": {"host1": {f"{role}_no_such_setting": 1}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(hosts))
    run = attempt(
        *("ansible-playbook", "evenkeel.fleet.site", "--inventory", "hosts.yml"),
        cwd=tmp_path,
        ANSIBLE_COLLECTIONS_PATH=str(installed),
    )
    assert run.returncode == 2
    assert f"{role}_no_such_setting is not a setting of this role" in run.stdout + run.stderr
    assert f"{installed}/ansible_collections/evenkeel/fleet/roles/{role}/tasks/check.yml" in run.stdout + run.stderr


@pytest.mark.parametrize("module", sorted(file.stem for file in (ROOT / "plugins/modules").glob("[!_]*.py")))
def test_every_module_has_its_page(module: str, installed: Path) -> None:
    page = tool("ansible-doc", f"evenkeel.fleet.{module}", cwd=installed, ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert str(installed) in page  # of the installed collection, not of the checkout
    assert "EXAMPLES:" in page


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_its_page(role: str, installed: Path) -> None:
    page = tool(
        *("ansible-doc", "--type", "role", f"evenkeel.fleet.{role}"),
        cwd=installed,
        ANSIBLE_COLLECTIONS_PATH=str(installed),
    )
    assert str(installed) in page  # of the installed collection, not of the checkout
    assert "ENTRY POINT: *main*" in page


def test_galaxy_accepts_it(tarball: Path, tmp_path: Path) -> None:
    config = tmp_path / "importer.cfg"
    config.write_text(
        "[galaxy-importer]\n"
        "RUN_ANSIBLE_TEST = False\n"
        "RUN_ANSIBLE_LINT = True\n"
        "CHECK_CHANGELOG = True\n"
        "CHECK_RUNTIME_YAML = True\n"
        "CHECK_REQUIRED_TAGS = True\n"
    )
    tool(
        *(sys.executable, "-m", "galaxy_importer.main", str(tarball)),
        cwd=tmp_path,
        GALAXY_IMPORTER_CONFIG=str(config),
    )
