"""`serve`: answer `GET /ping` and `POST /invocations` with the MLflow model in the model folder."""

import csv
import io
import json
import logging
import os
import sys
from typing import Any, Protocol, cast

import mlflow.pyfunc
import numpy as np
import pandas as pd
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .layout import Layout
from .payload import BadRequestError, Column, Schema, UnsupportedTypeError

log = logging.getLogger(__name__)

LARGEST_REQUEST_MIB = 6
"""Default of SAGEMAKER_MAX_PAYLOAD_IN_MB, the variable by which SageMaker states the limit."""


class Model(Protocol):
    """A loaded model: rows in, one prediction a row out."""

    def __call__(self, rows: pd.DataFrame, /) -> Any:
        """Predictions, as many as rows: an array of one or two dimensions, or a data frame."""


class TooLargeError(Exception):
    """The body is larger than the limit; status 413."""


def load(layout: Layout) -> tuple[Model, Schema]:
    """The model and its input columns.

    Raises whatever keeps the model from loading; ValueError when its signature does not name its columns.
    """
    loaded = cast("Any", mlflow.pyfunc.load_model(str(layout.model)))  # MLflow's signature types are not annotated
    schema = loaded.metadata.get_input_schema()
    if schema is None or not schema.has_input_names():
        raise ValueError(
            "the model has no signature with named columns: save it with one (mlflow.models.infer_signature)"
        )
    return cast("Model", loaded.predict), Schema(cast("list[Column]", list(schema.inputs)))


def application(model: Model, schema: Schema, *, limit: int) -> Starlette:
    """The two routes of SageMaker's hosting contract; `limit` is the largest body in bytes."""

    async def ping(_request: Request) -> Response:
        return Response(status_code=200)

    async def invocations(request: Request) -> Response:
        try:
            body = await _body(request, limit)
            rows = schema.frame(body, request.headers.get("content-type", ""))
        except BadRequestError as error:
            return PlainTextResponse(str(error), status_code=400)
        except UnsupportedTypeError as error:
            return PlainTextResponse(str(error), status_code=415)
        except TooLargeError as error:
            return PlainTextResponse(str(error), status_code=413, headers={"connection": "close"})
        try:
            predictions = await run_in_threadpool(model, rows)
        except Exception:  # the request fits the signature, so the fault is the model's
            log.exception("prediction failed")
            return PlainTextResponse("the model failed on a request that fits its signature; see the log", 500)
        return _answer(predictions, request.headers.get("accept", ""))

    return Starlette(
        routes=[Route("/ping", ping, methods=["GET"]), Route("/invocations", invocations, methods=["POST"])]
    )


async def _body(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLargeError(f"the body is larger than {limit} bytes; send fewer rows at a time")
        parts.append(part)
    return b"".join(parts)


def _answer(predictions: Any, accept: str) -> Response:
    values = np.asarray(predictions)
    rows: list[list[Any]] = values.reshape(len(values), -1).tolist()
    media = accept.partition(",")[0].partition(";")[0].strip().lower()
    if media == "application/json":
        return Response(json.dumps({"predictions": values.tolist()}), media_type="application/json")
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return Response(buffer.getvalue(), media_type="text/csv")


def serve(layout: Layout) -> int:
    """Serve until SIGTERM. A model that cannot load is status 1 with the reason on standard error."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        model, schema = load(layout)
    except Exception as error:  # noqa: BLE001 - whatever the model's code raises, the operator gets the reason
        sys.stderr.write(f"cannot load the model in {layout.model}: {type(error).__name__}: {error}\n")
        return 1
    limit = int(os.environ.get("SAGEMAKER_MAX_PAYLOAD_IN_MB", LARGEST_REQUEST_MIB)) * 1024 * 1024
    uvicorn.run(
        application(model, schema, limit=limit),
        host=os.environ.get("BIND_ADDRESS", "0.0.0.0"),  # noqa: S104 - a container's own interface, as SageMaker wants
        port=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")),
        access_log=False,
        log_level="warning",
    )
    return 0
