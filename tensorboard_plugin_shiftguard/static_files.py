"""Static files of the tab, read once and served from memory."""

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from importlib import resources
from pathlib import PurePath
from typing import Any

from tensorboard.backend import http_util
from werkzeug import Request

# The types do not come from `mimetypes`, which may return "text/plain" for JavaScript on Windows.
CONTENT_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".txt": "text/plain",
}

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def static_files() -> dict[str, tuple[bytes, str]]:
    """Returns the content and the content type of each file, by its route."""
    found: dict[str, tuple[bytes, str]] = {}

    def collect(folder: Any, route: str) -> None:
        for entry in folder.iterdir():
            entry_route = f"{route}/{entry.name}"
            content_type = CONTENT_TYPES.get(PurePath(entry.name).suffix)
            if entry.is_dir():
                collect(entry, entry_route)
            elif content_type:
                found[entry_route] = entry.read_bytes(), content_type

    collect(resources.files("tensorboard_plugin_shiftguard") / "static", "/static")
    return found


def serve(request: Request, file: tuple[bytes, str]) -> Any:
    """Returns a response with one file, or "304 Not Modified" if the browser has it.

    The browser requests each file every time, so that it never runs files of an older version with
    a newer server.
    """
    content, content_type = file
    tag = hashlib.sha256(content).hexdigest()[:32]
    headers = [("ETag", f'W/"{tag}"')]
    if request.if_none_match.contains_weak(tag):
        # A `Response` with status 304 drops the content type, and TensorBoard warns about that.
        headers += [("Content-Type", content_type), ("X-Content-Type-Options", "nosniff")]
        headers += [("Cache-Control", "no-cache, must-revalidate")]
        return partial(_not_modified, headers)
    return http_util.Respond(request, content, content_type, headers=headers)


def _not_modified(
    headers: list[tuple[str, str]], environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """The WSGI application that answers "304 Not Modified"."""
    start_response("304 Not Modified", headers)
    return []
