"""What the model server makes of a request's body."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.training.image.container.payload import SUPPORTED, BadRequestError, Schema, UnsupportedTypeError


@dataclass
class Column:
    name: str
    kind: str
    required: bool = True

    @property
    def type(self) -> Any:
        return SimpleNamespace(name=self.kind)


SCHEMA = Schema([Column("carrier", "string"), Column("minutes", "double"), Column("stops", "long")])
ROW = {"carrier": "UA", "minutes": 1.5, "stops": 2}


def _frame(body: str, media: str) -> list[dict[Any, Any]]:
    return SCHEMA.frame(body.encode(), media).to_dict("records")


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ("UA,1.5,2\n", "text/csv"),
        ("UA,1.5,2", "text/csv; charset=utf-8"),
        ("\ufeffUA,1.5,2\r\n", ""),
        ("stops,carrier,minutes\n2,UA,1.5\n", "text/csv"),
        (json.dumps({"instances": [ROW]}), "application/json"),
        (json.dumps({"instances": [["UA", 1.5, 2]]}), "application/json"),
        (json.dumps({"dataframe_records": [ROW]}), "application/json"),
        (json.dumps({"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}}), "application/json"),
        (json.dumps(ROW) + "\n\n", "application/jsonlines"),
        (json.dumps(list(ROW.values())), "application/jsonlines"),
    ],
)
def test_every_form_of_a_row_is_the_same_row(body: str, media: str) -> None:
    assert _frame(body, media) == [ROW]


def test_columns_have_the_types_of_the_signature() -> None:
    assert SCHEMA.frame(b"UA,1,2", "text/csv").dtypes.to_dict() == {
        "carrier": np.dtype(object),
        "minutes": np.dtype(np.float64),
        "stops": np.dtype(np.int64),
    }


def test_a_missing_number_is_nan_in_every_form() -> None:
    for body, media in [("UA,,2", "text/csv"), ('{"instances": [["UA", null, 2]]}', "application/json")]:
        assert np.isnan(_frame(body, media)[0]["minutes"])


def test_an_optional_column_may_be_absent() -> None:
    schema = Schema([Column("a", "double"), Column("b", "string", required=False)])
    assert pd.isna(schema.frame(b'{"a": 1}', "application/jsonlines")["b"].iloc[0])


@pytest.mark.parametrize(
    ("body", "media", "sentence"),
    [
        ("", "text/csv", "the body is empty; send at least one row of 3 values"),
        ("UA,1.5", "text/csv", "row 1 has 2 values, expected 3: carrier, minutes, stops"),
        ("UA,1.5,2\nUA,x,2", "text/csv", 'row 2: minutes must be a double, got "x"'),
        ("UA,1.5,2.5", "text/csv", 'row 1: stops must be a long, got "2.5"'),
        ("UA,1.5,", "text/csv", "row 1: stops is missing; it must be a long"),
        ("carrier,minutes,stops", "text/csv", "no rows; send at least one"),
        ("UA,inf,2", "text/csv", 'row 1: minutes must be a double, got "inf"'),
        ("{", "application/json", "the body is not JSON"),
        ("[1]", "application/json", "expected a JSON object with one of instances, dataframe_records, dataframe_split"),
        ('{"instances": 3}', "application/json", "instances must be a list of rows, got 3"),
        ('{"instances": []}', "application/json", "no rows"),
        ('{"instances": [{"carrier": "UA", "minutes": 1}]}', "application/json", "row 1 lacks stops"),
        ('{"instances": [{"carrier": "UA", "minutes": 1, "stops": 1, "x": 1}]}', "application/json", "has unknown x"),
        ('{"instances": [[7, 1, 1]]}', "application/json", "row 1: carrier must be a string, got 7"),
        ('{"instances": [["UA", true, 1]]}', "application/json", "row 1: minutes must be a double, got true"),
        ('{"instances": [["UA", 1, 99999999999999999999]]}', "application/json", "stops must be a long"),
        ('{"instances": [["UA", 1e999, 1]]}', "application/json", "minutes must be a double, got Infinity"),
        ('{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}', "application/json", "row 1 of dataframe_split"),
        ('{"carrier": "UA"}\nnonsense', "application/jsonlines", "line 2 is not JSON"),
        ("[" * 100_000, "application/json", "nested too deeply"),
    ],
)
def test_what_does_not_fit_is_a_sentence(body: str, media: str, sentence: str) -> None:
    with pytest.raises(BadRequestError) as refusal:
        SCHEMA.frame(body.encode(), media)
    assert sentence in str(refusal.value)


def test_bytes_that_are_no_text_are_told_where() -> None:
    with pytest.raises(BadRequestError, match="not UTF-8: byte 3 is 0xff"):
        SCHEMA.frame(b"UA,\xff", "text/csv")


def test_another_content_type_names_those_that_are_understood() -> None:
    with pytest.raises(UnsupportedTypeError, match="image/png is not understood; send one of text/csv"):
        SCHEMA.frame(b"x", "image/png")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*ROW, "instances", "x"]), inner),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.sampled_from(SUPPORTED), st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_raises_anything_but_a_refusal(media: str, body: bytes) -> None:
    try:
        frame = SCHEMA.frame(body, media)
    except BadRequestError:
        return
    assert list(frame.columns) == list(ROW)
    assert len(frame) > 0


@settings(max_examples=100)
@given(st.lists(JSON, min_size=3, max_size=3))
def test_no_row_raises_anything_but_a_refusal(row: list[Any]) -> None:
    try:
        frame = SCHEMA.frame(json.dumps({"instances": [row]}).encode(), "application/json")
    except BadRequestError:
        return
    assert len(frame) == 1
