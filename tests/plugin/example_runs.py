"""Runs of each kind, written as the guard writes them, for the browser tests of the Shift tab."""

import numpy as np
from plugin.logs import RawLog, as_json, scores, scores_content, state

import keras_shiftguard as sg
from keras_shiftguard import ShiftReport
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.verdict import verdict_of
from keras_shiftguard.detection.words.said import Clause, Said

EPOCHS, FAULT = 6, 4  # FAULT: the first epoch with a shift, counted from 1
NAMES = ["input/brightness", "input/noise_flat", "input/band_1", "labels"]
ALARM, ALONG = 9, 1  # flags of a reported alarm, and of an alarm with the same cause as another
DARKER = Said(
    "Validation images are darker",
    "mean brightness 0.18 against 0.31 in training",
    "effect size 3.9",
    "2 more features differ",
    "The cause is probably brightness, because contrast is lower by 0.4",
    Clause("Validation images", "are", "darker", "than training images"),
)
MIX = Said(
    "Validation labels have another mix than in training",
    "class 5 31.5 % against 10.6 %, class 0 1.66 % against 10 %; 40 % of the validation labels "
    "would have to be of another class to match training",
    follows="the other differences follow from it",
)


def finding(feature, said, **more):
    """Returns a finding as the guard logs it; `said` is a `Said`, or its head."""
    said = Said(said) if isinstance(said, str) else said
    parts = {"who": "Validation images", "verb": "are", "how": "darker"}
    parts |= {"whom": "than training images"}
    common = {"difference": None if feature == "labels" else parts}
    common |= {"kind": "covariate", "family": "brightness", "stream": "validation"}
    common |= {"against": "train", "effect_size": -3.9, "since": FAULT, "p_value": 1e-9}
    return {"feature": feature, "explanation": said.text, "said": said, **common, **more}


def report(*findings):
    sizes = {"train": 1000, "validation": 500}
    return {"shifted": bool(findings), "alpha": 0.05, "num_samples": sizes, "findings": findings}


def told(*findings, **more):
    """Returns the verdict on findings as the guard logs it."""
    plain = [Finding.from_dict({"interval": (-4.0, -3.8), **each}) for each in findings]
    sizes = {"train": 1000, "validation": 500}
    return verdict_of(ShiftReport(tuple(plain), num_samples=sizes), **more).to_dict()


def told_of_images(**more):
    """Returns the verdict on images in [0, 1] that a model takes in [-1, 1]."""
    tf, unit = (sg.InputConvention(mode, "rgb") for mode in ("tf", "unit"))
    advice, evidence = diagnosis()["advice"], tuple(diagnosis()["evidence"])
    one = sg.Diagnosis("mismatch", tf, unit, advice=advice, evidence=evidence)
    return verdict_of(diagnoses={"train": one, "validation": one}, guard={}, **more).to_dict()


def diagnosis(**more):
    def convention(mode):
        return {"mode": mode, "channel_order": "rgb", "scale": [1.0], "offset": [0.0]}

    return {
        "status": "mismatch",
        "expected": convention("tf"),
        "observed": convention("unit"),
        "advice": "x = x * 2.0 - 1.0",
        "evidence": [
            "The model's first batch-norm layers remember how its training images were prepared: "
            "tf ([-1, 1]) fits best (misfit 0.11, as fed 0.53; 16 images)."
        ],
        "num_samples": 16,
        **more,
    }


def write_shift(run_dir, one, flags, fault=FAULT):
    """Writes a run with one finding, and with `flags` for `NAMES`, both from epoch `fault` on."""
    none = {"verdict": told(), "report": report()}
    found = {"verdict": told(one), "report": report(one)}
    with RawLog(run_dir) as log:
        for step in range(EPOCHS):
            shifted = step + 1 >= fault
            effects = [-3.9, 2.0, 1.0, 0.9] if shifted else [0.0] * 4
            now = flags if shifted else [0] * 4
            values = scores(*effects, flags=now)
            cost = np.full((4, 1), np.nan, np.float32)
            cost[[flag == ALARM for flag in now]] = one.get("cost") or np.nan
            content = scores_content(names=NAMES, cost=True)
            log.add("shiftguard/scores/v-t/0", np.hstack([values, cost]), step, content)
            log.add("shiftguard/state", state(step, **(found if shifted else none)), step)
            curves = {"accuracy": 0.9, "val_accuracy": 0.83 if shifted else 0.89, "loss": 0.2}
            log.add("shiftguard/curves", as_json(curves), step, {"v": 1})


def write_adaptation(run_dir):
    left = {"contrast": 0.1, "noise_flat": 0.7, "brightness": 0.2, "sharpness": 0.3}
    before = {"contrast": 0.4, "noise_flat": 5.8, "brightness": 4.6, "sharpness": 0.5}
    more = {f"band_{k}": 0.05 for k in (1, 2, 3)}
    with RawLog(run_dir) as log:
        for step in range(3):
            adapting = "Training is augmented: noise 0.17."
            worth = {"before": "Adaptation is likely to help: noise.", "answer": "yes"}
            worth |= {"after": "It helped.", "now": [0.84, 0.8, 0.88], "earlier": [0.6, 0.5, 0.7]}
            verdict = verdict_of(adaptation=worth).to_dict()
            more_state = {
                "verdict": verdict,
                "adapts": True,
                "adapting": adapting,
                "worth": worth,
            }
            log.add("shiftguard/state", state(step, **more_state), step)
            for kind, values in (("shift", left), ("shift_before", before)):
                for name, value in {**more, **values}.items():
                    log.scalar(f"shiftguard/adaptation/{kind}/{name}", value, step + 1)
            curves = {"val_accuracy": 0.5 + 0.1 * step, "loss": 0.3}
            log.add("shiftguard/curves", as_json(curves), step, {"v": 1})
