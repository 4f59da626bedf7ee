"""A compiled `DomainAdaptationModel` around a small network, for the tests of adaptation."""

import keras
from adaptation_models import network

from keras_shiftguard.domains.model import DomainAdaptationModel

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
EAGER = {"run_eagerly": True}  # faster than tracing for a dozen steps


def adapted(method="mmd", base=None, optimizer="sgd", loss=LOSS, compiled=EAGER, **options):
    """Returns the model, which runs eagerly unless `compiled` has other options of `compile`."""
    options = {"feature_layer": "features", "verbose": 0, **options}
    model = DomainAdaptationModel(base or network(), method=method, **options)
    model.compile(optimizer, loss, **compiled)
    return model
