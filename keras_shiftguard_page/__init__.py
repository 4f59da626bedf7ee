"""One HTML page about a run or a report, from plain data.

It is a package of its own because importing `keras_shiftguard` imports Keras and a backend,
which takes seconds, and the command `keras-shiftguard report` must not wait for that. Data
flows one way:

    plain data (`parts`) -> content (what the page says) -> templates (how it looks)

`parts` is a dict of JSON values. Each part may be absent:

    title        name of the run
    written      when the data was written, as text
    verdict      `Verdict.to_dict()`, which the band shows; logs of version 0.2 lack it
    report       `ShiftReport.to_dict()`
    diagnosis    `Diagnosis.to_dict()` by stream
    corrected    names of the streams whose input is corrected inside the fit
    epochs       the measurements of each epoch, see `epochs.py`
    adaptation   a report on the repairs: `headline`, `events`, `since` (the first adapted epoch),
                 `before` (whether adaptation is likely to help), and `Worth.to_dict()`
    gap          `GapReport.to_dict()`
    estimate     `AccuracyEstimate.to_dict()`
    pictures     images of the streams, see `pictures.py`
"""

from keras_shiftguard_page.render import notebook, page

__all__ = ["notebook", "page"]
