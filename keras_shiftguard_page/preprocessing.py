"""The page content for a `Diagnosis`."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from keras_shiftguard_page.charts import bars
from keras_shiftguard_page.content import (
    ACT,
    CORRECTED,
    FINE,
    LOOK,
    STATES,
    Band,
    Fact,
    Part,
    Section,
    table,
)
from keras_shiftguard_page.words import number, sentence, stream, without_name
from tensorboard_plugin_shiftguard.story_preprocessing import (
    KEEP,
    RESULT,
    correction_in_words,
    mismatch_in_words,
    plainly,
)

PREFIXES = ("Preprocessing mismatch: ", "Preprocessing unknown: ", "Preprocessing is right: ")
MAX_CANDIDATES = 12
MAX_INPUTS = 50


def about_preprocessing(diagnoses: Mapping[str, Any], corrected: Collection[str]) -> Part:
    """Returns the content for the diagnoses of several streams.

    Args:
        diagnoses: `Diagnosis.to_dict()` by stream; outside of a run, the name of the stream is "".
        corrected: The streams whose input is corrected inside the fit.
    """
    bands = {name: _band(name, each, corrected) for name, each in diagnoses.items()}
    worst = min(bands.values(), key=lambda band: STATES.index(band.state))
    wrong = {n: d for n, d in diagnoses.items() if bands[n].state == worst.state}
    if worst.state == CORRECTED:
        worst = replace(worst, headline=correction_in_words(wrong))
    elif worst.state == ACT and (told := mismatch_in_words(wrong)):
        worst = replace(worst, headline=told[0])  # in the words of the Shift tab
    # Streams with the same headline share a section.
    alike: dict[str, list[str]] = {}
    for name, each in diagnoses.items():
        alike.setdefault(str(each["headline"]), []).append(name)
    sections = [_section(names, diagnoses, len(alike) > 1) for names in alike.values()]
    return Part(worst, sections)


def _band(name: str, diagnosis: Mapping[str, Any], corrected: Collection[str]) -> Band:
    status, text = diagnosis["status"], without_name(diagnosis["headline"], *PREFIXES)
    where = f"{stream(name)}, " if name else ""
    facts = [
        Fact(plainly(diagnosis[key]["words"]), f"{where}{meaning}")
        for key, meaning in (("expected", "what the model expects"), ("observed", "what it is fed"))
        if diagnosis[key]["mode"] != "unknown"
    ]
    if status == "mismatch" and name in corrected:
        return Band(
            CORRECTED,
            text,
            (
                *facts,
                Fact("nothing lost in fit", "what plain predict loses is not measured"),
                Fact("wrong since epoch 1", "the data itself, from the first batch on"),
            ),
            KEEP,
            "model = guard.diagnosis.apply(model)",
            RESULT,
        )
    if status == "mismatch":
        advice = "Do this to the images before the model sees them:"
        nothing = "No layer could undo this. Look at how the images are read."
        code = diagnosis["advice"]
        if name:  # the stream of a run
            cost = "not measured; sg.explain_gap(model, labelled_data) measures it"
            facts += [Fact("cost unknown", cost), Fact("wrong since epoch 1", "")]
        return Band(ACT, text, tuple(facts), advice if code else nothing, code)
    if status == "unknown":
        return Band(LOOK, sentence(diagnosis["headline"]), tuple(facts), diagnosis["advice"])
    return Band(FINE, sentence(diagnosis["headline"]), tuple(facts))


def _section(names: list[str], diagnoses: Mapping[str, Any], is_one_of_many: bool) -> Section:
    """Returns the section on streams whose diagnoses have the same headline."""
    diagnosis = diagnoses[names[0]]
    seen = [_seen(name, diagnoses[name]) for name in names]
    if diagnosis["architecture"]:
        seen.append(f"recognised as {diagnosis['architecture']}")
    found = [diagnosis["headline"]] if is_one_of_many or diagnosis["status"] == "ok" else []
    hints = [f"Also worth a look: {hint['sentence']}" for hint in diagnosis["hints"]]
    candidates = sorted(diagnosis["candidates"], key=lambda each: each["misfit"])
    fits = [
        (_named(each), each["misfit"], number(each["misfit"]), each["best"])
        for each in candidates[:MAX_CANDIDATES]
    ]
    several = [
        (key, each["status"], each["expected"]["words"], each["observed"]["words"])
        for key, each in diagnosis["by_input"].items()
    ]
    heading = f"Preprocessing of {' and '.join(map(stream, names))}"
    charts = (bars("How badly each convention fits the model's batch norm", fits),)
    return Section(
        heading if names != [""] else "Preprocessing",
        "; ".join(seen),
        tables=table("Input|Verdict|Expected|Fed", several, limit=MAX_INPUTS),
        sentences=tuple(sentence(text) for text in [*found, *diagnosis["evidence"], *hints]),
        charts=charts if fits else (),
    )


def _seen(name: str, diagnosis: Mapping[str, Any]) -> str:
    text = f"{stream(name)}: " if name else ""
    text += f"{diagnosis['num_samples']:,} images"
    if diagnosis["value_range"]:
        low, high = diagnosis["value_range"]
        text += f", values from {number(low, 3)} to {number(high, 3)}"
    return text


def _named(candidate: Mapping[str, Any]) -> str:
    return f"{candidate['name']} (as fed)" if candidate["fed"] else str(candidate["name"])
