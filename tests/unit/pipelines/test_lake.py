import pandas as pd
import pytest

from pipelines import aws as clients
from pipelines.lake import Dataset, Lake, Tables, by_month, parquet

BUCKET = "mlp-test-lake"


@pytest.fixture
def lake(aws: None) -> Lake:
    del aws
    clients.s3().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return Lake(BUCKET)


def _table(shift: float = 0.0) -> pd.DataFrame:
    at = pd.to_datetime(["2013-01-31T23:00Z", "2013-02-01T01:00Z", "2013-02-01T02:00Z"], utc=True)
    return pd.DataFrame({"at": at, "value": [1.0 + shift, 2.0, None], "name": ["a", "b", None]})


def _tables(shift: float = 0.0) -> Tables:
    months = by_month(_table(shift), _table()["at"])
    return Tables(raw={"events/data.parquet": _table()}, channels={"train": months, "test": {"data.parquet": _table()}})


def _writes(lake: Lake, recipe: str, tables: Tables) -> tuple[Dataset, str]:
    told: list[str] = []
    dataset = lake.store("toy", recipe, tables, lambda _step, message: told.append(message))
    return dataset, told[0]


def test_the_same_table_is_the_same_bytes() -> None:
    assert parquet(_table()) == parquet(_table().copy())
    assert parquet(_table()) != parquet(_table(1.0))


def test_what_is_written_is_read_back_in_order(lake: Lake) -> None:
    dataset, _ = _writes(lake, "one", _tables())
    pd.testing.assert_frame_equal(lake.read(dataset, "train"), _table(), check_dtype=False)


def test_a_second_run_finds_its_dataset_and_writes_nothing(lake: Lake) -> None:
    dataset, first = _writes(lake, "one", _tables())
    again, second = _writes(lake, "one", _tables())
    assert lake.find("toy", "one") == dataset == again
    assert first.startswith("4 of 4 objects")
    assert second.startswith("0 of 4 objects")


def test_another_recipe_with_the_same_result_is_the_same_version(lake: Lake) -> None:
    one, _ = _writes(lake, "one", _tables())
    two, _ = _writes(lake, "two", _tables())
    assert one.version == two.version


def test_a_changed_value_is_another_version_and_leaves_the_old_one_readable(lake: Lake) -> None:
    one, _ = _writes(lake, "one", _tables())
    two, _ = _writes(lake, "two", _tables(shift=1.0))
    assert one.version != two.version
    assert lake.read(one, "train")["value"].iloc[0] == 1.0
    assert lake.read(two, "train")["value"].iloc[0] == 2.0


def test_a_dataset_that_lost_an_object_is_not_found(lake: Lake) -> None:
    dataset, _ = _writes(lake, "one", _tables())
    clients.s3().delete_object(Bucket=BUCKET, Key=next(iter(dataset.objects)))
    assert lake.find("toy", "one") is None


def test_an_unknown_recipe_is_not_found(lake: Lake) -> None:
    assert lake.find("toy", "nothing") is None
