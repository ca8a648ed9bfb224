import shutil
from pathlib import Path

import pytest

from infra.images import content_tag


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "image"
    (folder / "server").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "server" / "main.py").write_text("print()\n")
    return folder


def test_the_tag_is_the_contents_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    assert content_tag(copy) == content_tag(folder)


def test_every_change_of_content_name_or_mode_changes_the_tag(folder: Path) -> None:
    tags = [content_tag(folder)]
    main = folder / "server" / "main.py"
    main.write_text("print(1)\n")
    tags.append(content_tag(folder))
    main.chmod(0o755)
    tags.append(content_tag(folder))
    main.rename(folder / "server" / "other.py")
    tags.append(content_tag(folder))
    (folder / "empty").touch()
    tags.append(content_tag(folder))
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("noise", [".venv/bin/python", "server/__pycache__/main.cpython-311.pyc", "server/main.pyc"])
def test_caches_and_environments_do_not_count(folder: Path, noise: str) -> None:
    before = content_tag(folder)
    path = folder / noise
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("noise")
    assert content_tag(folder) == before


def test_moving_bytes_between_a_name_and_a_content_is_a_change(tmp_path: Path) -> None:
    tags: list[str] = []
    for name, content in (("ab", "c"), ("a", "bc")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM scratch\n")
        (folder / name).write_text(content)
        tags.append(content_tag(folder))
    assert tags[0] != tags[1]


def test_a_folder_without_a_dockerfile_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no image folder: it has no Dockerfile"):
        content_tag(tmp_path)


def test_a_tag_is_one_that_ecr_takes(folder: Path) -> None:
    assert len(content_tag(folder)) == 16
    assert set(content_tag(folder)) <= set("0123456789abcdef")
