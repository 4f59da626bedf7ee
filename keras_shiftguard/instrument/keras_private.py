"""Access to private attributes of Keras, for which Keras has no public function.

A minor release of Keras may drop any of these attributes. If one is missing, the functions here
return None, an empty list or False: a diagnosis then finds less but does not fail. Only the test
`tests/instrument/test_keras_private.py` fails then.
"""

from typing import Any

HISTORY = "_keras_history"  # symbolic tensors have it: operation, node_index, tensor_index
INBOUND_NODES = "_inbound_nodes"  # layers and operations have it: calls on symbolic tensors
CALL_HAS_TRAINING = "_call_has_training_arg"  # layers have it: a bool
VALIDATION = "_eval_epoch_iterator"  # models have it in a `fit` with validation data

COMPILED_LOSS = "_compile_loss"  # compiled models have it
LOSS_WEIGHTS = "_user_loss_weights"  # and it has the `loss_weights` of `compile`
COMPILED_METRICS = "_compile_metrics"  # compiled models have it, if there are metrics


def history_of(tensor: Any) -> Any | None:
    """Returns the `KerasHistory` of a symbolic tensor; None for any other tensor."""
    return getattr(tensor, HISTORY, None)


def inbound_nodes(operation: Any) -> list[Any]:
    """Returns one `Node` for each call of an operation on symbolic tensors."""
    nodes: list[Any] = getattr(operation, INBOUND_NODES, [])
    return nodes


def is_called_for_inference(operation: Any) -> bool:
    """Returns whether a call of an operation on symbolic tensors has `training=False`."""
    arguments = (getattr(node, "arguments", None) for node in inbound_nodes(operation))
    return any(getattr(each, "kwargs", {}).get("training") is False for each in arguments)


def call_takes_training(layer: Any) -> bool:
    """Returns whether the `call` of a layer has an argument `training`."""
    return bool(getattr(layer, CALL_HAS_TRAINING, False))


def loss_weights(model: Any) -> Any:
    """Returns the `loss_weights` that a model was compiled with; None without them."""
    return getattr(getattr(model, COMPILED_LOSS, None), LOSS_WEIGHTS, None)


def compiled_metrics(model: Any) -> list[Any]:
    """Returns the metrics that a model was compiled with, once it has seen a batch; else none."""
    return list(getattr(getattr(model, COMPILED_METRICS, None), "metrics", None) or ())


def validation_steps(model: Any) -> int | None:
    """Returns the number of validation batches of the running `fit`; None if it is unknown."""
    steps = getattr(getattr(model, VALIDATION, None), "num_batches", None)
    return int(steps) if steps else None
