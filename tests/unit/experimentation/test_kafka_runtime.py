"""What the tests' Kafka is installed from is what its lock says."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.kafka import fetch, install

GOOD, OTHER = b"a jar", b"another jar"


class Repository:
    """Answers every name with the same jar, each time after failures."""

    def __init__(self, cache: Path, failures: int) -> None:
        self._cache, self._failures = cache, failures

    def create_dependency(self, coordinates: str) -> Any:
        file = self._cache / f"{coordinates.replace(':', '-')}.jar"

        def resolve() -> Path:
            assert not file.exists()  # as jgo does
            file.write_bytes(GOOD)
            if self._failures:
                self._failures -= 1
                raise OSError("the connection was cut")
            return file

        return SimpleNamespace(artifact=SimpleNamespace(cached_path=file, resolve=resolve))


def get(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, failures: int = 0) -> Path:
    lock, cache = folder / "jars.lock", folder / "cache"
    cache.mkdir()
    lock.write_text(f"org.example:one:1 {hashlib.sha256(content).hexdigest()}\n")
    monkeypatch.setattr(fetch, "context", lambda _: Repository(cache, failures))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]: of the attribute's type
    fetch.get(lock, folder / "jars", cache)
    return folder / "jars"


def test_a_jar_that_is_what_was_locked_is_installed_though_the_connection_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = get(tmp_path, monkeypatch, GOOD, failures=2).iterdir()
    assert found.read_bytes() == GOOD


def test_a_jar_that_is_not_what_was_locked_is_refused_and_nothing_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"org\.example:one:1: SHA-256"):
        get(tmp_path, monkeypatch, OTHER)
    assert not (tmp_path / "jars").exists()


def test_a_registry_that_stays_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"org\.example:one:1 cannot be had: the connection was cut"):
        get(tmp_path, monkeypatch, GOOD, failures=fetch.ATTEMPTS)


def test_every_jar_that_is_asked_for_is_locked_with_what_it_needs() -> None:
    locked = dict(line.split() for line in install.JARS.read_text().splitlines())
    assert all(len(digest) == 64 for digest in locked.values())
    names = {coordinates.rpartition(":")[0] for coordinates in locked}
    assert {"org.apache.kafka:kafka_2.13", "org.apache.kafka:kafka-clients", "org.scala-lang:scala-library"} <= names
