"""Problems: what the HTTP API answers when it can't do what was asked (RFC 9457)."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class ProblemFault(BaseModel):
    """One thing that is wrong in a request."""

    field: str = Field(description="Where it is: the name of a field or parameter, or `body`.")
    message: str = Field(description="What was expected, for people.")


class Problem(BaseModel):
    """Why a request was not answered as asked."""

    type: str = Field(
        default="about:blank", description="The status says it all, as RFC 9457 defines it."
    )
    title: str = Field(description="The name of the status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened and what to do about it, for people.")
    errors: list[ProblemFault] = Field(
        default=[], description="What is wrong with the input, field by field."
    )


def problem(
    status: int,
    detail: str,
    errors: Sequence[ProblemFault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response that says what is wrong."""
    title = HTTPStatus(status).phrase
    body = Problem(title=title, status=status, detail=detail, errors=list(errors))
    return Response(
        body.model_dump_json(),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        MEDIA_TYPE,
    )


class ProblemApp(FastAPI):
    """An app all of whose errors are problems, as it answers and as its OpenAPI document says."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # those of FastAPI
        super().__init__(**options)
        self.add_exception_handler(HTTPException, _refused)
        self.add_exception_handler(RequestValidationError, _invalid)
        self.add_exception_handler(Exception, _failed)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document; what `documented` gave stands under the right media type."""
        document = super().openapi()
        for path in document["paths"].values():
            for call in path.values():
                for status, answer in call["responses"].items():
                    if status >= "400":  # FastAPI has the schema under what the call else answers
                        of_types = answer["content"].values()
                        about = {name: it[name] for it in of_types for name in it}
                        answer["content"] = {MEDIA_TYPE: about}
        return document


def documented(*problems: tuple[int, ProblemFault | str]) -> dict[int | str, dict[str, Any]]:
    """Return what a call may answer, for FastAPI: statuses, each with a fault or detail."""
    return {status: _documented(status, what) for status, what in problems}


def _documented(status: int, what: ProblemFault | str) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    faults, detail = ([what], _sentence(what)) if isinstance(what, ProblemFault) else ([], what)
    example = Problem(title=title, status=status, detail=detail, errors=faults)
    content = {"application/json": {"example": example.model_dump()}}
    return {"model": Problem, "description": title, "content": content}


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # it is registered for these
    detail = "there is nothing here; /docs says what there is" if _is_bare_404(error) else ""
    return problem(error.status_code, detail or error.detail, headers=error.headers)


def _is_bare_404(error: HTTPException) -> bool:
    return error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # it is registered for these
    faults = list(_faults(error.errors(), request.headers.get("content-type", "")))
    return problem(422, "; ".join(_sentence(fault) for fault in faults), faults)


async def _failed(_request: Request, _error: Exception) -> Response:
    return problem(500, "a fault of this sidecar; its log says more")


def _faults(errors: Iterable[Mapping[str, Any]], content_type: str) -> Iterable[ProblemFault]:
    for error in errors:
        match error["loc"], error["type"]:
            case _, "json_invalid":
                at, why = error["loc"][-1], error["ctx"]["error"]
                yield ProblemFault(field="body", message=f"expected JSON; {why} at character {at}")
            case ("body",), _ if "json" not in content_type:
                sent = repr(content_type) if content_type else "none"
                message = f"expected JSON and Content-Type: application/json, not {sent}"
                yield ProblemFault(field="body", message=message)
            case ("body",), _:
                yield ProblemFault(field="body", message="expected a JSON object")
            case (_, *path), "value_error":  # from our own code, which says what was expected
                yield ProblemFault(field=_dotted(path), message=str(error["ctx"]["error"]))
            case (_, *path), _:
                yield ProblemFault(field=_dotted(path), message=str(error["msg"]))
            case _:
                yield ProblemFault(field="", message=str(error["msg"]))


def _dotted(path: Iterable[object]) -> str:
    return ".".join(str(step) for step in path)


def _sentence(fault: ProblemFault) -> str:
    """Return the message, with the field before it where it doesn't name it itself."""
    named = fault.message.startswith(fault.field)
    return fault.message if named else f"{fault.field}: {fault.message}"
