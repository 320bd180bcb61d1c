"""All checks together."""

from pathlib import Path

import pytest

from autoencoders.doctor import checks
from autoencoders.doctor.finding import LONGEST_LIST, Finding, listed


def test_a_check_that_cannot_read_its_file_is_wrong_and_stops_no_other(
    tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "AUTOENCODERS_ROOT"):
        monkeypatch.delenv(name, raising=False)
    findings = checks.examine()
    assert [finding.name for finding in findings] == list(checks.CHECKS)
    assert {finding.name for finding in findings if finding.problem} == {
        "environment"
    }  # no pyproject.toml
    assert not list(tmp_path.iterdir())
    Path("pyproject.toml").write_text("[")
    (environment,) = [finding for finding in checks.examine() if finding.problem]
    assert "can't be checked" in environment.problem


def test_a_finding_is_one_line():
    assert Finding("disk").line() == "disk            ok"
    assert Finding("disk", note="full of joy").line() == "disk            ok: full of joy"
    assert Finding("disk", "full", "rm -r x").line() == "disk            WRONG: full; mend: rm -r x"
    names = [f"name {number}" for number in range(100)]
    assert len(listed(names)) < LONGEST_LIST + 20
    assert "(100 in all)" in listed(names)
