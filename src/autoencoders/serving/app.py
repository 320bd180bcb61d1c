"""The application of `ae serve`: MLflow's scoring server behind a check of each request."""

import asyncio
import json
import logging
import os
import sys
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from mlflow import MlflowException
from mlflow.pyfunc import load_model, scoring_server
from mlflow.types import ParamSchema
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

from autoencoders.core.errors import DataError
from autoencoders.serving.invocation import check_invocation
from autoencoders.serving.servers import MODEL_VARIABLE

PATH = "/invocations"
BAD_REQUEST = 400
BEFORE_REASON = ". \nError: "  # where MLflow has shown the rows of a request


def served_app() -> FastAPI:
    """The application for the model that MODEL_VARIABLE names."""
    forget_package()
    model = load_model(os.environ[MODEL_VARIABLE])
    return checked(scoring_server.init(model), model.metadata.get_params_schema())


def forget_package() -> None:
    """Lets the model import the package that its version carries, instead of this one."""
    package = __name__.partition(".")[0]
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            del sys.modules[name]


def checked(app: FastAPI, schema: ParamSchema) -> FastAPI:
    """MLflow's application, which now refuses what it would drop. schema: of the settings."""

    async def check(request: Request, call_next: RequestResponseEndpoint) -> Response:
        if request.method != "POST" or request.scope["path"] != PATH:
            return await call_next(request)
        content_type = request.headers.get("content-type", "")
        query = request.scope["query_string"].decode("latin-1")
        body = await request.body()
        try:
            await asyncio.to_thread(check_invocation, content_type, query, body, schema)
        except DataError as error:
            return _refusal(str(error))
        response = await call_next(request)
        if response.status_code != BAD_REQUEST:
            return response
        return await _in_one_line(cast(StreamingResponse, response))

    # the innermost, so that MLflow's time limit counts the upload and the check
    app.user_middleware.append(Middleware(BaseHTTPMiddleware, dispatch=check))
    return app


def _refusal(reason: str) -> Response:
    """Status 400 with a reason, in MLflow's form."""
    error = MlflowException.invalid_parameter_value(reason)
    return Response(error.serialize_as_json(), BAD_REQUEST, media_type="application/json")


async def _in_one_line(response: StreamingResponse) -> Response:
    """MLflow's refusal without the request's rows and a traceback, which is logged."""
    parts = [part async for part in response.body_iterator]
    error = json.loads(b"".join(cast(list[bytes], parts)))
    traceback = error.pop("stack_trace", None)
    if traceback:
        logging.getLogger("uvicorn.error").error(traceback)
    reason = error["message"].rpartition(BEFORE_REASON)[2]
    error["message"] = " ".join(reason.split())
    return Response(json.dumps(error), BAD_REQUEST, media_type="application/json")
