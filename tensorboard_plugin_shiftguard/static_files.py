"""Static files of the tab, read once and served from memory."""

import hashlib
from collections.abc import Callable, Iterable
from importlib import resources
from typing import Any

from tensorboard.backend import http_util
from werkzeug import Request

# The types do not come from `mimetypes`, which may return "text/plain" for JavaScript on Windows.
CONTENT_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain",
    ".md": "text/plain",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
MAX_DEPTH = 3  # levels of folders below `static` that are read

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def static_files() -> dict[str, tuple[bytes, str]]:
    """Returns the content and the content type of each file, by its route."""
    found: dict[str, tuple[bytes, str]] = {}

    def collect(folder: Any, route: str, depth: int) -> None:
        for entry in folder.iterdir():
            entry_route = f"{route}/{entry.name}"
            if entry.is_dir():
                if depth and not entry.name.startswith((".", "_")):
                    collect(entry, entry_route, depth - 1)
                continue
            for suffix, content_type in CONTENT_TYPES.items():
                if entry.name.endswith(suffix) and not entry.name.startswith("."):
                    found[entry_route] = entry.read_bytes(), content_type

    collect(resources.files("tensorboard_plugin_shiftguard") / "static", "/static", MAX_DEPTH)
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
        return _not_modified(content_type, headers)
    return http_util.Respond(request, content, content_type, headers=headers)


def _not_modified(content_type: str, headers: list[tuple[str, str]]) -> WsgiApp:
    # A `Response` with status 304 drops the content type, and TensorBoard warns about that.
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        sent = [
            *headers,
            ("Content-Type", content_type),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-cache, must-revalidate"),
        ]
        start_response("304 Not Modified", sent)
        return []

    return app
