# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What CONTRIBUTING.md asks of every role."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.evenkeel.fleet.plugins.module_utils._formats import FORMATS

ROLES = Path(__file__).resolve().parents[3] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())
TASK_FILES = sorted(path.relative_to(ROLES).as_posix() for path in ROLES.glob("*/tasks/**/*.yml"))
TEMPLATES = sorted(path.relative_to(ROLES).as_posix() for path in ROLES.glob("*/templates/**/*") if path.is_file())

MOST_TASKS = 15
LONGEST_TEMPLATE = 80

BLOCKS = ("block", "rescue", "always")


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def entry_points(role: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", load(ROLES / role / "meta/argument_specs.yml")["argument_specs"])


def options(role: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", entry_points(role)["main"]["options"])


def variables(role: str) -> dict[str, t.Any]:
    path = ROLES / role / "vars/main.yml"
    return t.cast("dict[str, t.Any]", load(path)) if path.exists() else {}


def tasks(items: list[dict[str, t.Any]] | None) -> t.Iterator[dict[str, t.Any]]:
    """All tasks of a file, those in blocks included."""
    for item in items or []:
        yield item
        for part in BLOCKS:
            yield from tasks(item.get(part))


def actions(task: dict[str, t.Any]) -> set[str]:
    return {key.rpartition(".")[2] for key in task}


def only_imports(task: dict[str, t.Any]) -> bool:
    if "block" in task:
        return all(only_imports(inner) for part in BLOCKS for inner in task.get(part, []))
    return bool(actions(task) & {"import_tasks", "include_tasks"})


def nested(spec: dict[str, t.Any], where: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    for name, option in spec.items():
        yield f"{where}{name}", option
        yield from nested(option.get("options", {}), f"{where}{name}.")


def option_at(role: str, path: str) -> dict[str, t.Any] | None:
    """The option that a path of a format such as x[].name, x[0], x.* or keys(x) speaks of; None if there is none."""
    path = re.sub(r"^keys\((.*)\)$", r"\1", path)
    option: dict[str, t.Any] | None = {"type": "dict", "options": options(role)}
    for step in re.findall(r"\[\d*\]|[^.\[\]]+", path):
        assert option is not None
        if step.startswith("["):
            option = {**option, "type": option.get("elements", "str")} if option.get("type") == "list" else None
        elif step == "*":
            option = {} if option.get("type") == "dict" else None
        else:
            option = option.get("options", {}).get(step)
        if option is None:
            return None
    return option


def test_there_are_roles() -> None:
    assert NAMES
    assert TASK_FILES
    assert TEMPLATES


@pytest.mark.parametrize("role", NAMES)
def test_defaults_are_those_of_the_argument_spec(role: str) -> None:
    described = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert load(ROLES / role / "defaults/main.yml") == described


@pytest.mark.parametrize("role", NAMES)
def test_every_option_has_a_default_or_is_required(role: str) -> None:
    neither = [name for name, option in options(role).items() if ("default" in option) == bool(option.get("required"))]
    assert neither == []


@pytest.mark.parametrize("role", NAMES)
def test_every_option_has_type_and_description(role: str) -> None:
    lacking = [name for name, option in nested(options(role)) if not {"type", "description"} <= set(option)]
    assert lacking == []


@pytest.mark.parametrize("role", NAMES)
def test_options_begin_with_the_name_of_the_role(role: str) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", NAMES)
def test_internal_variables_begin_with_the_name_of_the_role(role: str) -> None:
    assert [name for name in variables(role) if not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("role", NAMES)
def test_options_named_like_secrets_are_not_logged(role: str) -> None:
    secret = re.compile(r"(password|secret|token|passphrase)s?$")
    specs = [option for name, option in nested(options(role)) if secret.search(name)]
    assert all(option.get("no_log") is True for option in specs)


@pytest.mark.parametrize("role", NAMES)
def test_a_secret_below_hides_what_it_is_part_of(role: str) -> None:
    """Only whole settings can be hidden, so one that holds a secret somewhere is hidden as a whole."""
    for name, option in options(role).items():
        if any(inner.get("no_log") for _path, inner in nested(option.get("options", {}))):
            assert option.get("no_log") is True, name


@pytest.mark.parametrize("role", NAMES)
def test_there_is_an_entry_point_that_only_checks(role: str) -> None:
    assert {"main", "check"} <= set(entry_points(role))
    assert any("evenkeel.fleet.check_settings" in task for task in tasks(load(ROLES / role / "tasks/check.yml")))
    first = load(ROLES / role / "tasks/main.yml")[0]
    assert first["ansible.builtin.import_tasks"] == "check.yml"


@pytest.mark.parametrize("role", NAMES)
def test_directives_of_units_are_examined(role: str) -> None:
    checks = [task.get("evenkeel.fleet.check_settings", {}) for task in tasks(load(ROLES / role / "tasks/check.yml"))]
    examined = {path.partition(".")[0] for check in checks for path in check.get("units", [])}
    assert examined == {name for name in options(role) if name.endswith(("_unit", "_units"))}


@pytest.mark.parametrize("role", NAMES)
def test_every_entry_point_has_its_tasks(role: str) -> None:
    assert [name for name in entry_points(role) if not (ROLES / role / f"tasks/{name}.yml").exists()] == []


@pytest.mark.parametrize("role", NAMES)
def test_there_is_a_readme(role: str) -> None:
    assert (ROLES / role / "README.md").read_text(encoding="utf-8").startswith(f"# Role `{role}`\n")


@pytest.mark.parametrize("role", NAMES)
def test_formats_are_known_and_speak_of_options(role: str) -> None:
    formats = variables(role).get(f"__{role}_formats", {})
    assert formats, "whatever reaches a config file has a format"
    assert {path: name for path, name in formats.items() if name.removesuffix("?") not in FORMATS} == {}
    assert [path for path in formats if option_at(role, path) is None] == []


@pytest.mark.parametrize("role", NAMES)
def test_what_must_differ_are_options(role: str) -> None:
    paths = variables(role).get(f"__{role}_distinct", [])
    assert [path for path in paths if option_at(role, path) is None] == []


@pytest.mark.parametrize("file", TASK_FILES)
def test_task_files_are_short(file: str) -> None:
    count = len([task for task in tasks(load(ROLES / file)) if "block" not in task])
    assert count <= MOST_TASKS


@pytest.mark.parametrize("file", TASK_FILES)
def test_tasks_are_named_after_their_file(file: str) -> None:
    prefix = "".join(f"{part} | " for part in Path(file).with_suffix("").parts[2:])
    every = list(tasks(load(ROLES / file)))
    assert [task for task in every if "name" not in task] == []
    # A file that only puts others together has nothing of its own to say.
    own = [task for task in every if not only_imports(task)]
    if prefix != "main | ":
        assert [task["name"] for task in own if not task["name"].startswith(prefix)] == []


@pytest.mark.parametrize("file", TASK_FILES)
def test_nothing_is_ignored_and_no_facts_are_made_up(file: str) -> None:
    for task in tasks(load(ROLES / file)):
        assert "set_fact" not in actions(task), task["name"]
        assert "ignore_errors" not in task, task["name"]
        assert "ignore_unreachable" not in task, task["name"]


# The members of Patroni are servers of the role postgres, whose variables say what they are to be.
SPOKEN_FOR = {"patroni": ("__postgres_",)}


@pytest.mark.parametrize("file", TASK_FILES)
def test_variables_of_tasks_belong_to_the_role(file: str) -> None:
    role = file.split("/", maxsplit=1)[0]
    for task in tasks(load(ROLES / file)):
        made = [task.get("register"), task.get("loop_control", {}).get("loop_var"), *task.get("vars", {})]
        known = (f"__{role}_", f"{role}_", "ansible_", *SPOKEN_FOR.get(role, ()))
        strange = [name for name in made if name and not name.startswith(known)]
        assert strange == [], task["name"]


@pytest.mark.parametrize("file", TASK_FILES)
def test_nothing_takes_the_place_of_a_variable_of_the_role(file: str) -> None:
    """What a task registers wins over the role's own variable of that name, and a second pass of the role sees it."""
    role = file.split("/", maxsplit=1)[0]
    for task in tasks(load(ROLES / file)):
        made = {task.get("register"), task.get("loop_control", {}).get("loop_var")}
        assert made & set(variables(role)) == set(), task["name"]


@pytest.mark.parametrize("file", TASK_FILES)
def test_actions_are_named_in_full(file: str) -> None:
    words = {
        "name",
        "when",
        "loop",
        "loop_control",
        "register",
        "vars",
        "notify",
        "tags",
        "become",
        "become_user",
        "run_once",
        "any_errors_fatal",
        "changed_when",
        "failed_when",
        "check_mode",
        "diff",
        "no_log",
        "environment",
        "delegate_to",
        "retries",
        "delay",
        "until",
        "args",
        "throttle",
        "connection",
        "timeout",
        "listen",
        "ignore_errors",
        "ignore_unreachable",
        *BLOCKS,
    }
    for task in tasks(load(ROLES / file)):
        assert [key for key in task if key not in words and key.count(".") < 2] == [], task["name"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_short(template: str) -> None:
    assert len((ROLES / template).read_text(encoding="utf-8").splitlines()) <= LONGEST_TEMPLATE


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_have_no_defaults_of_their_own(template: str) -> None:
    text = (ROLES / template).read_text(encoding="utf-8")
    assert re.findall(r"\|\s*(?:default|d)\s*\(", text) == []


@pytest.mark.parametrize("role", NAMES)
def test_no_handler_restarts_a_service(role: str) -> None:
    path = ROLES / role / "handlers/main.yml"
    for handler in tasks(load(path) if path.exists() else []):
        assert "state: restarted" not in yaml.safe_dump(handler), handler["name"]


def test_no_list_is_in_another_order_in_the_next_run() -> None:
    """Ansible's filters for sets are in an order that changes from run to run, and with it the files made of them.

    `select('in', …)`, `reject('in', …)` and `(… + …) | unique` keep the order.
    """
    unordered = re.compile(r"\|\s*(union|intersect|difference|symmetric_difference)\(")
    files = [path for folder in ("roles", "playbooks", "inventories") for path in (ROLES.parent / folder).rglob("*")]
    texts = {path: path.read_text(encoding="utf-8") for path in files if path.suffix in (".yml", ".j2", ".md")}
    assert [f"{path}: {found[0]}" for path, text in texts.items() for found in unordered.finditer(text)] == []
