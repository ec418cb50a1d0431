from pathlib import Path

import pytest

from tests.golden import Golden


def test_a_difference_fails_and_is_shown(tmp_path: Path) -> None:
    Golden(tmp_path, refresh=True)("a/b", "one\ntwo\n")
    Golden(tmp_path, refresh=False)("a/b", "one\ntwo\n")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-two.*\+three"):
        Golden(tmp_path, refresh=False)("a/b", "one\nthree\n")


def test_a_missing_file_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="no golden file"):
        Golden(tmp_path, refresh=False)("a/b", "")
