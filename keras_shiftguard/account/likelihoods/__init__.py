"""Likelihoods of labels: how a prediction is judged, one file for each task.

All have the same methods, see `classes.Classes`: `fit` finds what no rival may win by (a
temperature, a scale), `log` is the likelihood that chooses, and `worth` the number that is told.
"""

from keras_shiftguard.account.likelihoods.classes import Classes
from keras_shiftguard.account.likelihoods.losses import Losses
from keras_shiftguard.account.likelihoods.numbers import Numbers
from keras_shiftguard.account.likelihoods.several_labels import SeveralLabels

Likelihood = Classes | SeveralLabels | Numbers | Losses
