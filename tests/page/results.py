"""Example results of each kind, as the library makes them, and the page of a large run."""

from dataclasses import replace

from made_findings import images_are, row_of

import keras_shiftguard as sg
from keras_shiftguard.detection.gap_row import GapRow
from keras_shiftguard.preprocessing.diagnosis import Candidate

ROW = row_of(0.061, 0.044, 0.079)
DARKER = replace(images_are("darker", effect=-1.4, p_value=1e-30, since=8), row=ROW)
NOISIER = replace(images_are("noisier", "noise", 2.0, since=8), row=ROW)
TF, UNIT = sg.InputConvention("tf", "rgb"), sg.InputConvention("unit", "rgb")


def report(*findings, **more):
    return sg.ShiftReport(findings, num_samples={"train": 800, "validation": 200}, **more)


def diagnosis(status="mismatch", **more):
    fed = UNIT if status == "mismatch" else TF
    evidence = ("Over 16 images the values run from 0 to 1.",)
    advice = "x = x * 2.0 - 1.0" if status == "mismatch" else ""
    candidates = (
        Candidate("tf ([-1, 1])", 0.4, False, False, True, False),
        Candidate("unit ([0, 1])", 1.7, False, True, False, False),
    )
    given = {"evidence": evidence, "advice": advice, "candidates": candidates, "num_samples": 16}
    return sg.Diagnosis(status, TF, fed, value_range=(0.0, 1.0), **{**given, **more})


def gap(beyond=True, **more):
    fault = "the data has wrong preprocessing (fed [0, 1])"
    rows = (
        GapRow("input", fault, 0.06, (0.04, 0.08), True, accuracy=0.86, step="x = x * 2 - 1"),
        GapRow("class mix", "more of class 3", 0.02, (0.0, 0.04), accuracy=0.88),
        GapRow("unexplained", "within chance", 0.01, (-0.02, 0.04), accuracy=0.89),
    )
    given = {"against": "the reference data", "data": "the data", "num_samples": 1000}
    given |= {"interval": (0.05, 0.13) if beyond else (-0.05, 0.13)}
    notes = ("resolution could not be checked",)
    return sg.GapReport(rows, 0.89, 0.80, notes=notes, **{**given, **more})


def estimate(value=0.61, high=0.67):
    methods = {"ATC": 0.60, "DoC": 0.63, "COT": 0.58, "regression": 0.61}
    return sg.AccuracyEstimate(value, (0.55, high), 0.81, methods, 400)
