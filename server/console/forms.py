"""What a form sent, as a typed struct. Forms are sent as browsers send them; nothing of them is believed."""

from typing import Any, TypeVar, get_origin

import msgspec

from server.console.page import Asked

T = TypeVar("T")


def one_line_ending(text: str) -> str:
    """A text as a browser sent it, with lines that end as ours do: in LF alone."""
    return text.replace("\r\n", "\n")


async def filled(request: Asked, shape: type[T]) -> T:
    """A form as a struct. What was left empty counts as not sent, so the struct's defaults say what that means.

    A field of the type list[...] takes every value of its name. Raises msgspec.ValidationError, which the pages
    answer with 400.
    """
    sent = await request.form()
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):  # type: ignore[arg-type]
        texts = [_read(value) for value in sent.getall(field.encode_name, []) if value != ""]
        if get_origin(field.type) in {list, tuple}:
            values[field.encode_name] = texts
        elif texts:
            values[field.encode_name] = texts[-1]
    return msgspec.convert(values, shape, strict=False)


def _read(value: Any) -> Any:
    """A text; a file that was sent stays what it is."""
    return one_line_ending(value) if isinstance(value, str) else value
