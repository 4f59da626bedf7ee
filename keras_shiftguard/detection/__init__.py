"""Detection of distribution shift: compares profiles and reports what differs. NumPy only.

- `two_sample` holds the two-sample tests, one in each file; `causes` recognizes what kind of change
  made a difference.
- `look.py` compares two profiles once, with all tests; `families.py` collects the tests,
  `selection.py` chooses which of the significant findings are reported, and
  `certain_difference.py` finds differences that need no test.
- `monitor.py` makes all comparisons of a whole fit, at one false-alarm rate.
- `finding.py` and `report.py` hold the result: `Finding` and `ShiftReport`; `sentences.py`,
  `attribute_words.py`, `plain_words.py` and `report_words.py` hold their texts. `cost.py` holds the
  accuracy that a difference costs.
- `acknowledged.py` marks shifts that the user accepts.
"""
