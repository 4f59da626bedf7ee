"""The page in a real Chromium: opened from the disk, in both themes, printed, in a notebook."""

import time
import warnings
from dataclasses import replace

import keras
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from page.results import DARKER, diagnosis, estimate, gap, report
from plugin.test_hostile import NASTY

import keras_shiftguard as sg
from keras_shiftguard.io.json_files import plain
from keras_shiftguard_page import page
from tensorboard_plugin_shiftguard.words import ATTRIBUTES


@pytest.fixture(scope="module")
def run_page(tmp_path_factory):
    """The page of a real fit with darker validation images, which are also wrongly scaled."""
    log_dir = tmp_path_factory.mktemp("logs") / "night <b>shift"
    rng = np.random.default_rng(0)
    x = np.kron(rng.random((96, 4, 4, 3)), np.ones((1, 4, 4, 1))).astype("float32")
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    y = np.arange(96) % 2
    guard = sg.ShiftGuard(log_dir=log_dir, expects="tf", tolerance=None, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.ShiftWarning)
        val = (x[:64] * 0.5, y[:64])
        model.fit(x, y, epochs=3, validation_data=val, callbacks=[guard], verbose=0)
    return log_dir / "shift.html"


def with_everything(tmp_path):
    everything = {
        "title": "<script>alert(1)</script>",
        "diagnosis": {"": diagnosis().to_dict()},
        "report": report(DARKER, notes=tuple(NASTY)).to_dict(),
        "gap": gap().to_dict(),
        "estimate": estimate().to_dict(),
        "adaptation": {"headline": "Training is augmented: blur 0.2", "events": NASTY},
    }
    path = tmp_path / "everything.html"
    path.write_text(page(plain(everything)), encoding="utf-8")
    return path


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.thorough)])
def test_axe_finds_nothing_and_nothing_is_asked_for(opened, run_page, tmp_path, theme):
    for path in (run_page, with_everything(tmp_path)):
        shown = opened(path, color_scheme=theme, bypass_csp=True)
        assert shown.audit() == []
        background = "getComputedStyle(document.body).backgroundColor"
        red = int(shown.page.evaluate(background).split("(")[1].split(",")[0])
        assert (red > 128) == (theme == "light")
        assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_of_a_fit_says_what_is_wrong(opened, run_page):
    shown = opened(run_page).page
    assert shown.locator("h1").inner_text().startswith("Images are fed as")
    assert "Also: " in shown.locator(".band").inner_text()
    assert shown.locator("header b").inner_text() == "night <b>shift"
    assert time.strftime("%Y-%m-%d") in shown.locator("header").inner_text()
    link = shown.locator("footer code").inner_text()
    assert link == f'tensorboard --logdir "{run_page.parent}"'
    assert shown.locator("svg.curve").count() >= 2  # the accuracy, and the mean brightness
    assert shown.locator("svg.cells").first.locator("rect").count() == 3  # one for each epoch
    assert "Darker" in shown.locator("section").first.inner_text()
    everything = shown.locator("main").inner_text()
    names = [name for name in ATTRIBUTES if "_" in name]
    assert not [name for name in ("input/", *names) if name in everything]


def test_no_script_can_run(browser, tmp_path):
    path = tmp_path / "page.html"
    text = report(DARKER).to_html()
    path.write_text(text.replace("</main>", "<script>document.title = 'mine'</script></main>"))
    shown = browser.new_page()
    shown.goto(path.as_uri())
    assert shown.title().startswith("Shift report")
    shown.close()


def test_it_prints_in_light_colours_on_paper(opened, run_page, tmp_path):
    shown = opened(run_page, color_scheme="dark").page
    shown.emulate_media(media="print")
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    wide = "[...document.querySelectorAll('.wide')].every(e => e.scrollWidth <= e.clientWidth)"
    shown.set_viewport_size({"width": 720, "height": 1000})  # a printed sheet without its margins
    assert shown.evaluate(wide)
    printed = shown.pdf(path=tmp_path / "page.pdf", format="A4")
    assert printed.startswith(b"%PDF") and 1 <= printed.count(b"/Type /Page\n") <= 4


NOTEBOOK = """
import keras_shiftguard as sg
from keras_shiftguard.detection.finding import Finding

finding = Finding("<img src=x onerror=alert(1)>", "covariate", "other", 1.0, (0.9, 1.1), 1e-9,
                  "validation", "train", 1, "</iframe><script>alert(1)</script> are darker: 1")
sg.ShiftReport((finding,))
"""
STYLE = "<style>h1 {color: rgb(1, 2, 3)} td {display: none} body {background: rgb(4, 5, 6)}</style>"


@pytest.mark.thorough
def test_a_notebook_shows_it_and_keeps_its_own_style(opened, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    NotebookClient(notebook, timeout=300).execute()
    [output] = [o for o in notebook.cells[0].outputs if o.output_type == "execute_result"]
    path = tmp_path / "notebook.html"
    path.write_text(f"{STYLE}<h1>Mine</h1>{output['data']['text/html']}", encoding="utf-8")
    shown = opened(path).page
    colour = "e => getComputedStyle(e).color"
    assert shown.locator("h1").evaluate(colour) == "rgb(1, 2, 3)"
    body = shown.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert body == "rgb(4, 5, 6)"
    inside = shown.frame_locator("iframe")
    assert "are darker" in inside.locator("h1").inner_text()
    assert inside.locator("h1").evaluate(colour) != "rgb(1, 2, 3)"
    assert inside.locator("td").first.is_visible()
    assert inside.locator("script").count() == inside.locator("img").count() == 0


@pytest.mark.thorough
def test_a_notebook_card_shows_its_findings_and_breaks_no_word_of_a_line(opened, tmp_path):
    """The card was cut at "Findings", and a line of code was broken within a word."""
    mirrored = replace(DARKER, fix="x_val = x_val[:, :, ::-1]")
    path = tmp_path / "card.html"
    path.write_text(report(mirrored)._repr_html_(), encoding="utf-8")
    shown = opened(path).page
    frame = shown.locator("iframe").bounding_box()
    inside = shown.frame_locator("iframe")
    row = inside.locator("tbody tr").first.bounding_box()
    assert "Findings" in inside.locator("section h2").all_inner_texts()
    assert row["y"] + row["height"] <= frame["y"] + frame["height"]
    line = inside.locator("code").first
    assert line.inner_text() == mirrored.fix
    for width in (1100, 480):
        shown.set_viewport_size({"width": width, "height": 900})
        assert line.bounding_box()["height"] < 45  # one line of text, in its frame
