"""A client of the endpoint that measures as it asks."""

import csv
import io
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.errors import PipelineError


@dataclass(frozen=True)
class Predictions:
    """Answers in the order of the rows asked about."""

    rows: list[list[Any]]
    milliseconds: list[float]
    """Of each request, from call to answer."""

    def percentile(self, percent: float) -> float:
        """Latency in milliseconds that this share of requests did not exceed."""
        return float(np.percentile(self.milliseconds, percent))


def predict(
    endpoint: str, rows: pd.DataFrame, *, batch: int = 1, concurrency: int = 1, variant: str | None = None
) -> Predictions:
    """Send the rows as CSV, `batch` of them in a request, `concurrency` requests at a time.

    `variant` aims at one variant; otherwise the endpoint chooses by weight. Raises PipelineError with the endpoint's
    words when a request fails or the answer has another number of rows.
    """
    runtime = aws.sagemaker_runtime(connections=concurrency)
    target = {} if variant is None else {"TargetVariant": variant}

    def ask(part: pd.DataFrame) -> tuple[list[list[Any]], float]:
        body = part.to_csv(index=False, header=False, lineterminator="\n").encode()
        start = time.perf_counter()
        try:
            answer = runtime.invoke_endpoint(
                EndpointName=endpoint, ContentType="text/csv", Accept="text/csv", Body=body, **target
            )
            text = answer["Body"].read().decode()
        except ClientError as error:
            raise PipelineError(f"{endpoint} refused a request: {_words(error)}") from None
        took = (time.perf_counter() - start) * 1000
        return parse(text, expected=len(part), endpoint=endpoint), took

    parts = [rows.iloc[at : at + batch] for at in range(0, len(rows), batch)]
    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        answers = list(pool.map(ask, parts))
    return Predictions(rows=[row for found, _ in answers for row in found], milliseconds=[took for _, took in answers])


def parse(text: str, *, expected: int, endpoint: str) -> list[list[Any]]:
    """Rows of a CSV answer as numbers. Raises PipelineError when it is no CSV of numbers or lacks rows."""
    try:
        rows = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    except ValueError as error:
        raise PipelineError(f"{endpoint} answered what is not a row of numbers: {error}") from None
    if len(rows) != expected:
        raise PipelineError(f"{endpoint} answered {len(rows)} rows to {expected}")
    return rows


def _words(error: ClientError) -> str:
    answer = error.response.get("Error", {})
    original: Sequence[str] = [str(error.response.get("OriginalMessage", "")), answer.get("Message", "")]
    return next((text for text in original if text), str(error))
