"""The plugin: its routes, the arguments of requests, and the handling of errors.

Routes only read data. The response to an error in a log or a request is JSON with a sentence for
the user. No log and no request causes an unhandled server error.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging
from werkzeug import Request, Response

from tensorboard_plugin_shiftguard.adaptation import adaptation
from tensorboard_plugin_shiftguard.answers import BadQuery, NotNow, ShiftError, respond
from tensorboard_plugin_shiftguard.curves import curves
from tensorboard_plugin_shiftguard.distributions import feature
from tensorboard_plugin_shiftguard.gap import gap
from tensorboard_plugin_shiftguard.metadata import PLUGIN_NAME
from tensorboard_plugin_shiftguard.overview import overview
from tensorboard_plugin_shiftguard.pictures import picture, pictures
from tensorboard_plugin_shiftguard.reading import Log
from tensorboard_plugin_shiftguard.run_log import RunReader, one_run
from tensorboard_plugin_shiftguard.runs import list_runs
from tensorboard_plugin_shiftguard.statements import state_at
from tensorboard_plugin_shiftguard.static_files import WsgiApp, serve, static_files
from tensorboard_plugin_shiftguard.verdict import shown_verdict

MAX_QUERY = 4096  # characters of an argument of a request

Arguments = Mapping[str, str]  # of a request

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
        answers: dict[str, Callable[[Log, Arguments], dict[str, Any]]] = {
            "/runs": lambda log, given: list_runs(log),
            "/overview": _overview,
            "/feature": lambda log, given: feature(_run(log, given), _text(given, "name")),
            "/verdict": _verdict,
            "/curves": lambda log, given: curves(_run(log, given)),
            "/adaptation": lambda log, given: adaptation(_run(log, given)),
            "/gap": lambda log, given: gap(_run(log, given)),
            "/pictures": lambda log, given: pictures(_run(log, given)),
        }
        apps = {route: _app(partial(serve, file=file)) for route, file in self._files.items()}
        apps |= {route: _app(partial(self._reply, compute)) for route, compute in answers.items()}
        return apps | {"/picture": _app(self._picture)}

    def _reply(
        self, compute: Callable[[Log, Arguments], dict[str, Any]], request: Request
    ) -> Response:
        """Returns the response with the JSON that `compute` returns for the request."""
        return respond(request, compute(self._log(request), request.args))

    def _picture(self, request: Request) -> Any:
        """Returns the response with a picture of the data, a PNG file."""
        place = [_whole_number(request.args, name) for name in ("epoch", "row", "number")]
        content = picture(_run(self._log(request), request.args), *place)
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
        if request.method not in ("GET", "HEAD"):
            message = {"error": "The Shift tab answers only GET and HEAD requests."}
            return respond(request, message, 405, [("Allow", "GET, HEAD")])
        try:
            return answer(request)
        except ShiftError as error:
            return respond(request, {"error": str(error)}, error.status)
        except Exception:
            _logger.exception("The Shift tab could not answer %s", request.path)
            told = "The Shift tab failed. The terminal in which TensorBoard runs shows the error."
            return respond(request, {"error": told}, NotNow.status)

    wsgi: WsgiApp = Request.application(reply)
    return wsgi


def _run(log: Log, given: Arguments) -> RunReader:
    """Returns the run that a request names."""
    return one_run(log, _text(given, "run"))


def _overview(log: Log, given: Arguments) -> dict[str, Any]:
    """Returns the answer to `/overview`."""
    pair = _whole_number(given, "pair") if "pair" in given else None
    return overview(_run(log, given), pair)


def _verdict(log: Log, given: Arguments) -> dict[str, Any]:
    """Returns the answer to `/verdict`: the verdict on a run as it was known at a step."""
    step = _whole_number(given, "step")
    run = _run(log, given)
    return {"verdict": shown_verdict(state_at(run, step)), "problems": run.problems}


def _text(given: Arguments, name: str) -> str:
    """Returns an argument of a request as a text.

    Raises:
        BadQuery: If the argument is missing or too long.
    """
    value = given.get(name)
    if not value:
        raise BadQuery(f"The request lacks `{name}=`.")
    if len(value) > MAX_QUERY:
        raise BadQuery(f"`{name}=` is longer than {MAX_QUERY:,} characters.")
    return value


def _whole_number(given: Arguments, name: str) -> int:
    """Returns an argument of a request that is a whole number from 0.

    Raises:
        BadQuery: If the argument is missing, or is not such a number.
    """
    value = _text(given, name)
    if not re.fullmatch("[0-9]{1,15}", value):
        raise BadQuery(f"`{name}=` must be a whole number. Received: {value[:50]!r}")
    return int(value)
