"""Profile against profile, to a report. NumPy only; never sees a tensor or a model.

One test a file. `compare.py` puts them together for one look at two profiles,
`monitor.py` for all the looks of a whole fit, `report.py` is what comes out.
"""
