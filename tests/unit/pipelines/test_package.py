import io
import os
import tarfile
from pathlib import Path

import pytest

from pipelines.errors import PipelineError
from pipelines.training.package import pack


def _write(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")


def test_the_same_files_make_the_same_bytes_whenever_and_wherever_they_were_written(tmp_path: Path) -> None:
    _write(tmp_path / "one", ["train.py", "lib/a.py", "lib/b.py"])
    _write(tmp_path / "two", ["lib/b.py", "lib/a.py", "train.py"])
    os.utime(tmp_path / "two" / "train.py", (1, 1))
    assert pack(tmp_path / "one") == pack(tmp_path / "two")


def test_a_changed_byte_and_a_renamed_file_make_another_archive(tmp_path: Path) -> None:
    _write(tmp_path, ["train.py", "other.py"])
    before = pack(tmp_path)
    (tmp_path / "train.py").write_text("# changed\n")
    changed = pack(tmp_path)
    (tmp_path / "other.py").rename(tmp_path / "another.py")
    assert len({before, changed, pack(tmp_path)}) == 3


def test_caches_and_environments_stay_out_and_executables_stay_executable(tmp_path: Path) -> None:
    _write(tmp_path, ["train.py", "run.sh", "__pycache__/train.pyc", ".venv/bin/python"])
    (tmp_path / "run.sh").chmod(0o700)
    with tarfile.open(fileobj=io.BytesIO(pack(tmp_path))) as archive:
        assert {each.name: each.mode for each in archive} == {"run.sh": 0o755, "train.py": 0o644}


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="holds no file"):
        pack(tmp_path)
