"""Requests into data frames that fit the model's signature, or a sentence that says why not."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd


class Column(Protocol):
    """What is read of MLflow's ColSpec."""

    @property
    def name(self) -> str | None: ...  # noqa: D102 - the protocol is its documentation
    @property
    def type(self) -> Any: ...  # noqa: D102 - the protocol is its documentation
    @property
    def required(self) -> bool: ...  # noqa: D102 - the protocol is its documentation


class BadRequestError(Exception):
    """The request does not fit; its text is the answer's body with status 400."""


class UnsupportedTypeError(Exception):
    """The request's content type is none of those understood; status 415."""


SUPPORTED = ("text/csv", "application/json", "application/jsonlines")
_INTEGERS = {"integer": np.iinfo(np.int32), "long": np.iinfo(np.int64)}


class Schema:
    """The input columns of a model, in the order of its signature."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Columns of a signature that names each of them."""
        self.kinds = {str(column.name): str(column.type.name) for column in columns}
        self.optional = {str(column.name) for column in columns if not column.required}

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return list(self.kinds)

    def frame(self, body: bytes, content_type: str) -> pd.DataFrame:
        """The request's rows.

        `text/csv` has one row a line in the signature's order (a first line with the column names is allowed);
        `application/json` has `instances`, `dataframe_split` or `dataframe_records`; `application/jsonlines` has one
        object or array a line. Raises BadRequestError and UnsupportedTypeError.
        """
        media = content_type.partition(";")[0].strip().lower() or SUPPORTED[0]
        if media not in SUPPORTED:
            raise UnsupportedTypeError(f"content type {media} is not understood; send one of {', '.join(SUPPORTED)}")
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadRequestError(f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}") from None
        if not text.strip():
            raise BadRequestError(f"the body is empty; send at least one row of {len(self.kinds)} values")
        if media == "text/csv":
            return self._typed(self._csv(text))
        rows = _lines(text) if media == "application/jsonlines" else self._document(_loads(text, "the body"))
        return self._typed([self._values(row, position) for position, row in enumerate(rows, 1)])

    def _csv(self, text: str) -> list[list[Any]]:
        try:
            rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
        except csv.Error as error:
            raise BadRequestError(f"the body is not CSV: {error}") from None
        header = [cell.strip() for cell in rows[0]] if rows else []
        if rows and set(header) == set(self.kinds):
            order = [header.index(name) for name in self.kinds]
            for position, row in enumerate(rows[1:], 1):
                self._check_width(row, position)
            return [[row[index] or None for index in order] for row in rows[1:]]
        return [[cell or None for cell in self._check_width(row, position)] for position, row in enumerate(rows, 1)]

    def _document(self, document: Any) -> list[Any]:
        keys = ("instances", "dataframe_records", "dataframe_split")
        fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
        given = [key for key in keys if key in fields]
        if len(given) != 1:
            raise BadRequestError(f"expected a JSON object with one of {', '.join(keys)}, got {_short(document)}")
        content = fields[given[0]]
        if given[0] == "dataframe_split":
            return self._split(content)
        if not isinstance(content, list):
            raise BadRequestError(f"{given[0]} must be a list of rows, got {_short(content)}")
        return cast("list[Any]", content)

    def _split(self, content: Any) -> list[Any]:
        parts = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
        columns, data = parts.get("columns"), parts.get("data")
        if not isinstance(columns, list) or not isinstance(data, list):
            raise BadRequestError("dataframe_split must be an object with the lists `columns` and `data`")
        names = [str(name) for name in cast("list[Any]", columns)]
        rows: list[Any] = []
        for position, row in enumerate(cast("list[Any]", data), 1):
            if not isinstance(row, list) or len(cast("list[Any]", row)) != len(names):
                raise BadRequestError(f"row {position} of dataframe_split.data must be a list of {len(names)} values")
            rows.append(dict(zip(names, cast("list[Any]", row), strict=True)))
        return rows

    def _values(self, row: Any, position: int) -> list[Any]:
        if isinstance(row, list):
            return self._check_width(cast("list[Any]", row), position)
        if not isinstance(row, dict):
            raise BadRequestError(f"row {position} must be an object or a list, got {_short(row)}")
        fields = cast("dict[str, Any]", row)
        unknown = sorted(set(fields) - set(self.kinds))
        missing = [name for name in self.kinds if name not in fields and name not in self.optional]
        if unknown or missing:
            told = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has unknown {', '.join(unknown)}"] * bool(
                unknown
            )
            raise BadRequestError(f"row {position} {' and '.join(told)}; the columns are {', '.join(self.kinds)}")
        return [fields.get(name) for name in self.kinds]

    def _check_width(self, row: list[Any], position: int) -> list[Any]:
        if len(row) != len(self.kinds):
            raise BadRequestError(
                f"row {position} has {len(row)} values, expected {len(self.kinds)}: {', '.join(self.kinds)}"
            )
        return row

    def _typed(self, rows: list[list[Any]]) -> pd.DataFrame:
        if not rows:
            raise BadRequestError("no rows; send at least one")
        columns = zip(*rows, strict=True)
        return pd.DataFrame(
            {name: self._column(name, values) for (name, values) in zip(self.kinds, columns, strict=True)}
        )

    def _column(self, name: str, values: Iterable[Any]) -> Any:
        kind = self.kinds[name]
        converted: list[Any] = []
        for position, value in enumerate(values, 1):
            if value is None:
                # A missing number is NaN, which models may know; other kinds have no missing value unless optional.
                if kind not in ("double", "float") and name not in self.optional:
                    raise BadRequestError(f"row {position}: {name} is missing; it must be a {kind}")
                converted.append(np.nan if kind in ("double", "float") else None)
                continue
            converted.append(_convert(name, kind, value, position))
        return pd.Series(converted, dtype=_dtype(kind, optional=name in self.optional))


def _dtype(kind: str, *, optional: bool) -> Any:
    if kind == "double":
        return np.float64
    if kind == "float":
        return np.float32
    if optional:
        return object
    return {"integer": np.int32, "long": np.int64, "boolean": np.bool_}.get(kind, object)


def _convert(name: str, kind: str, value: Any, position: int) -> Any:
    wrong = BadRequestError(f"row {position}: {name} must be a {kind}, got {_short(value)}")
    if kind == "string":
        if not isinstance(value, str):
            raise wrong
        return value
    if kind == "boolean":
        known = {"true": True, "false": False, "1": True, "0": False}
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in known:
            return known[value.lower()]
        raise wrong
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    return _number(kind, value, wrong)


def _number(kind: str, value: float | str, wrong: BadRequestError) -> int | float:
    try:
        if kind in _INTEGERS:
            whole = int(value)
            limits = _INTEGERS[kind]
            if (isinstance(value, float) and not value.is_integer()) or not limits.min <= whole <= limits.max:
                raise wrong
            return whole
        number = float(value)
    except (ValueError, OverflowError):
        raise wrong from None
    # MLflow's `double` has no infinity that a model was trained on; NaN stands for a missing value.
    limit = np.finfo(np.float32 if kind == "float" else np.float64).max
    if abs(number) > limit:
        raise wrong
    return number


def _loads(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadRequestError(f"{what} is not JSON: {error.msg} at character {error.pos}") from None
    except (RecursionError, ValueError):  # nested beyond the parser's stack; a number beyond its digits
        raise BadRequestError(f"{what} is not usable JSON: nested too deeply or a number too long") from None


def _lines(text: str) -> list[Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    return [_loads(line, f"line {position}") for position, line in enumerate(lines, 1)]


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
