"""The sections of a page on a `Diagnosis`."""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard_page.charts import bars
from keras_shiftguard_page.content import Section, table
from keras_shiftguard_page.words import number, sentence, stream

MAX_CANDIDATES = 12
MAX_INPUTS = 50


def about_preprocessing(diagnoses: Mapping[str, Any]) -> list[Section]:
    """Returns the sections for `Diagnosis.to_dict()` by stream; "" stands for no run."""
    # Streams with the same headline share a section.
    alike: dict[str, list[str]] = {}
    for name, each in diagnoses.items():
        alike.setdefault(str(each["headline"]), []).append(name)
    return [_section(names, diagnoses) for names in alike.values()]


def _section(names: list[str], diagnoses: Mapping[str, Any]) -> Section:
    """Returns the section on streams whose diagnoses have the same headline."""
    diagnosis = diagnoses[names[0]]
    seen = [_seen(name, diagnoses[name]) for name in names]
    if diagnosis["architecture"]:
        seen.append(f"recognised as {diagnosis['architecture']}")
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
        sentences=tuple(
            sentence(text) for text in [diagnosis["headline"], *diagnosis["evidence"], *hints]
        ),
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
