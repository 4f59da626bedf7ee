"""The plugin: its routes, the arguments of requests, and the handling of errors.

Routes only read data. The response to an error in a log or a request is JSON with a sentence for
the user. No log and no request causes an unhandled server error.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging
from werkzeug import Request, Response

from tensorboard_plugin_shiftguard.adaptation import adaptation
from tensorboard_plugin_shiftguard.answers import (
    BadQuery,
    NotNow,
    ShiftError,
    respond,
    respond_error,
)
from tensorboard_plugin_shiftguard.curves import curves
from tensorboard_plugin_shiftguard.distributions import feature
from tensorboard_plugin_shiftguard.gap import gap
from tensorboard_plugin_shiftguard.metadata import PLUGIN_NAME
from tensorboard_plugin_shiftguard.overview import overview, verdict_at
from tensorboard_plugin_shiftguard.pictures import picture, pictures
from tensorboard_plugin_shiftguard.reading import Log
from tensorboard_plugin_shiftguard.run_log import RunReader, one_run
from tensorboard_plugin_shiftguard.runs import list_runs
from tensorboard_plugin_shiftguard.static_files import WsgiApp, serve, static_files

METHODS = ("GET", "HEAD")
MAX_QUERY = 4096  # characters of an argument of a request

_logger = tb_logging.get_logger()


class ShiftPlugin(base_plugin.TBPlugin):
    """The Shift tab."""

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._data = context.data_provider
        self._multiplexer = context.multiplexer
        self._logdir = context.logdir
        self._files = static_files()

    def is_active(self) -> bool:
        """Returns False, so that TensorBoard checks by itself whether the plugin has data."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Returns the JavaScript that TensorBoard's page loads, and the name of the tab."""
        return base_plugin.FrontendMetadata(es_module_path="/static/index.js", tab_name="Shift")

    def get_plugin_apps(self) -> dict[str, WsgiApp]:
        """Returns the application of each route. No route has a wildcard."""
        answers: dict[str, Callable[[Log, Query], dict[str, Any]]] = {
            "/runs": lambda log, query: list_runs(log),
            "/overview": lambda log, query: overview(_run(log, query), query.whole_number("pair")),
            "/feature": lambda log, query: feature(_run(log, query), query.text("name")),
            "/verdict": _verdict,
            "/curves": lambda log, query: curves(_run(log, query)),
            "/adaptation": lambda log, query: adaptation(_run(log, query)),
            "/gap": lambda log, query: gap(_run(log, query)),
            "/pictures": lambda log, query: pictures(_run(log, query)),
        }
        apps = {route: _app(partial(serve, file=file)) for route, file in self._files.items()}
        apps |= {route: _app(partial(self._reply, compute)) for route, compute in answers.items()}
        return apps | {"/picture": _app(self._picture)}

    def _reply(
        self, compute: "Callable[[Log, Query], dict[str, Any]]", request: Request
    ) -> Response:
        """Returns the response with the JSON that `compute` returns for the request."""
        return respond(request, compute(self._log(request), Query(request)))

    def _picture(self, request: Request) -> Any:
        """Returns the response with a picture of the data, a PNG file."""
        query = Query(request)
        place = [query.required_number(key) for key in ("epoch", "row", "number")]
        content = picture(_run(self._log(request), query), *place)
        return http_util.Respond(request, content, "image/png")

    def _log(self, request: Request) -> Log:
        """Returns the reader of TensorBoard's log for one request."""
        environ = request.environ
        return Log(
            self._data,
            plugin_util.context(environ),
            plugin_util.experiment_id(environ),
            self._multiplexer,
            self._logdir,
        )


def _app(answer: Callable[[Request], Any]) -> WsgiApp:
    """Returns a WSGI application that accepts only GET and HEAD, and turns errors into JSON."""

    def reply(request: Request) -> Any:
        if request.method not in METHODS:
            message = {"error": "The Shift tab answers only GET and HEAD requests."}
            return respond(request, message, 405, [("Allow", ", ".join(METHODS))])
        try:
            return answer(request)
        except ShiftError as error:
            return respond_error(request, error)
        except errors.PublicError as error:
            return respond(request, {"error": str(error)}, error.http_code, error.headers)
        except Exception:
            _logger.exception("The Shift tab could not answer %s", request.path)
            failure = NotNow(
                "The Shift tab failed. The terminal in which TensorBoard runs shows the error."
            )
            return respond_error(request, failure)

    wsgi: WsgiApp = Request.application(reply)
    return wsgi


class Query:
    """The arguments of a request, checked and converted."""

    def __init__(self, request: Request) -> None:
        self._arguments = request.args

    def text(self, name: str) -> str:
        """Returns a required argument as a text.

        Raises:
            BadQuery: If the argument is missing or too long.
        """
        value = self._arguments.get(name)
        if not value:
            raise BadQuery(f"The request lacks `{name}=`.")
        if len(value) > MAX_QUERY:
            raise BadQuery(f"`{name}=` is longer than {MAX_QUERY:,} characters.")
        return str(value)

    def whole_number(self, name: str) -> int | None:
        """Returns an argument that is a whole number from 0; None if it is missing.

        Raises:
            BadQuery: If the argument is not such a number.
        """
        value = self._arguments.get(name)
        if value is None:
            return None
        if not re.fullmatch("[0-9]{1,15}", value):
            raise BadQuery(f"`{name}=` must be a whole number. Received: {value[:50]!r}")
        return int(value)

    def required_number(self, name: str) -> int:
        """Returns a required argument that is a whole number from 0.

        Raises:
            BadQuery: If the argument is missing, or is not such a number.
        """
        value = self.whole_number(name)
        if value is None:
            raise BadQuery(f"The request lacks `{name}=`.")
        return value


def _run(log: Log, query: Query) -> RunReader:
    """Returns the run that a request names."""
    return one_run(log, query.text("run"))


def _verdict(log: Log, query: Query) -> dict[str, Any]:
    """Returns the answer to `/verdict`."""
    step = query.required_number("step")
    return verdict_at(_run(log, query), step)
