"""HTTP routes of the plugin: methods, headers, and requests that are refused."""

import pytest
from plugin.logs import opened, write_small_run

ROUTES = (
    *("runs", "overview", "feature", "adaptation", "gap", "pictures", "picture"),
    "static/index.js",
)


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs")
    write_small_run(path / "first" / "shiftguard")
    return path


@pytest.fixture(scope="module")
def tab(log_dir):
    with opened(log_dir) as tab:
        yield tab


def test_tensorboard_lists_the_tab_and_its_module(tab):
    listed = tab.client.get("/data/plugins_listing").json["shiftguard"]
    assert listed["tab_name"] == "Shift"
    assert listed["enabled"]
    assert listed["loading_mechanism"] == {
        "type": "IFRAME",
        "module_path": "/data/plugin/shiftguard/static/index.js",
    }
    module = tab.client.get(listed["loading_mechanism"]["module_path"])
    assert module.status_code == 200
    assert module.content_type == "text/javascript; charset=utf-8"
    assert module.headers["X-Content-Type-Options"] == "nosniff"


def test_without_our_data_the_tab_is_inactive_and_looks_at_nothing(tmp_path):
    with opened(tmp_path, ready=False) as tab:
        tab.plugin._data = None
        assert tab.plugin.is_active() is False
        assert not tab.client.get("/data/plugins_listing").json["shiftguard"]["enabled"]


def test_an_unchanged_file_is_not_sent_again(tab):
    first = tab.get("static/index.js")
    assert "no-cache" in first.headers["Cache-Control"]  # the browser sees an upgrade at once
    condition = {"If-None-Match": first.headers["ETag"]}
    again = tab.client.get(tab.root + "static/index.js", headers=condition)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    changed = tab.client.get(tab.root + "static/index.js", headers={"If-None-Match": 'W/"old"'})
    assert (changed.status_code, changed.data) == (200, first.data)


@pytest.mark.parametrize(
    "path",
    [
        "static/../plugin.py",
        "static/%2e%2e/plugin.py",
        "static/..%2fplugin.py",
        "static/%5c..%5cplugin.py",
        "static//index.js",
        "static/index.js%00",
        "static/",
        "static",
        "plugin.py",
        "",
    ],
)
def test_no_other_path_leads_to_a_file(tab, path):
    assert tab.client.get(tab.root + path).status_code == 404


def test_every_static_file_has_a_type_and_a_route_without_wildcard(tab):
    apps = tab.plugin.get_plugin_apps()
    assert not [route for route in apps if "*" in route or ".." in route]
    for route in (route for route in apps if route.startswith("/static/")):
        answer = tab.get(route[1:])
        assert answer.status_code == 200, route
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.content_type != "application/octet-stream"


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_reading_is_allowed(tab, route, method):
    answer = tab.client.open(tab.root + route, method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert "GET" in answer.json["error"]


@pytest.mark.parametrize(
    ("route", "arguments", "status", "message"),
    [
        ("overview", {}, 400, "run="),
        ("overview", {"run": ""}, 400, "run="),
        ("overview", {"run": "nowhere"}, 404, "nowhere"),
        ("overview", {"run": "first"}, 404, "first"),
        ("overview", {"run": "../first/shiftguard"}, 404, "no data"),
        ("overview", {"run": "x" * 5000}, 400, "longer"),
        ("overview", {"run": "first/shiftguard", "pair": "-1"}, 400, "whole number"),
        ("overview", {"run": "first/shiftguard", "pair": "1e3"}, 400, "whole number"),
        ("overview", {"run": "first/shiftguard", "pair": "9"}, 404, "number 9"),
        ("feature", {"run": "first/shiftguard"}, 400, "name="),
        ("feature", {"run": "first/shiftguard", "name": "zz"}, 404, "zz"),
        ("adaptation", {"run": "nowhere"}, 404, "nowhere"),
        ("pictures", {"run": "nowhere"}, 404, "nowhere"),
        ("picture", {"run": "first/shiftguard", "epoch": "1", "row": "0"}, 400, "number="),
        ("picture", {"run": "first/shiftguard", "epoch": "..", "row": "0"}, 400, "whole number"),
    ],
)
def test_a_wrong_question_is_answered_in_words(tab, route, arguments, status, message):
    answer = tab.get(route, **arguments)
    assert answer.status_code == status
    assert message in answer.json["error"]


def test_json_says_so_and_is_compressed_on_request(tab):
    answer = tab.client.get(tab.root + "runs", headers={"Accept-Encoding": "gzip"})
    assert answer.content_type == "application/json"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "no-cache" in answer.headers["Cache-Control"]


def test_a_failure_of_ours_is_an_answer_not_a_crash(log_dir, monkeypatch, caplog):
    def fail(*_):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("tensorboard_plugin_shiftguard.plugin.list_runs", fail)
    with opened(log_dir, ready=False) as tab:
        answer = tab.get("runs")
    assert answer.status_code == 503
    assert "The terminal in which TensorBoard runs" in answer.json["error"]
    assert "a defect" in caplog.text


@pytest.mark.parametrize("failure", [RuntimeError("broken pipe"), OSError(5, "disk")])
def test_a_failing_data_server_is_told_with_retry(tab, monkeypatch, failure):
    def fail(**_):
        raise failure

    for method in ("list_tensors", "list_scalars", "list_runs"):
        monkeypatch.setattr(tab.plugin._data, method, fail)
    for route in ("runs", "overview", "adaptation"):
        answer = tab.get(route, run="first/shiftguard")
        assert answer.status_code == 503
        assert "Try again" in answer.json["error"]
