# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re

from ansible_collections.evenkeel.fleet.plugins.module_utils._controller import owner, rollout_id


def test_who_is_at_work() -> None:
    assert owner({}).count("@") == 1
    assert owner({"awx_user_name": "eva", "awx_job_id": 7}).startswith("eva@")
    assert owner({"awx_user_name": "eva", "awx_job_id": 7}).endswith(", job 7")


def test_rollouts_that_begin_together_have_different_names() -> None:
    names = {rollout_id() for _number in range(3)}
    assert len(names) > 1
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", name) for name in names)
