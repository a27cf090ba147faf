# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._trees import differences, tree_name

FILES = {"nginx.conf": "http {}\n", "sites/a.conf": "server {}\n"}


def test_equal_trees_have_equal_names() -> None:
    assert tree_name(FILES) == tree_name(dict(reversed(FILES.items())))
    assert len(tree_name(FILES)) == 12


@pytest.mark.parametrize(
    "files",
    [
        {},
        {**FILES, "nginx.conf": ""},
        {**FILES, "x": ""},
        {"nginx.conf": "http {}\n"},
        {"a": "server {}\n", "b": "http {}\n"},
    ],
)
def test_other_trees_have_other_names(files: dict[str, str]) -> None:
    assert tree_name(files) != tree_name(FILES)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".", "a\x00"])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="leads out of its directory"):
        tree_name({path: ""})


@pytest.mark.parametrize("path", ["./a", "a//b", "a/", "a/../b"])
def test_two_names_for_one_file_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not in its shortest form"):
        tree_name({path: ""})


def test_differences() -> None:
    def entry(path: str, before: str, after: str) -> dict[str, str]:
        return {"before_header": path, "after_header": path, "before": before, "after": after}

    assert differences({"same": "x", "gone": "g", "new text": "1"}, {"same": "x", "new text": "2", "added": "a"}) == [
        entry("added", "", "a"),
        entry("gone", "g", ""),
        entry("new text", "1", "2"),
    ]
    assert differences(FILES, FILES) == []
