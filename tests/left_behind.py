"""Finds what a guard has left on a model: wrapped functions, attributes and variables."""

FUNCTIONS = ("train_function", "test_function", "predict_function")


def left_behind(model):
    """Returns the names of all that a guard has left on a model; empty if it left nothing."""
    wrapped = [name for name in FUNCTIONS if hasattr(getattr(model, name), "shiftguard_probe")]
    attributes = [
        name
        for name, value in vars(model).items()
        if "shiftguard" in name or type(value).__module__.startswith("keras_shiftguard")
    ]
    variables = [v.path for v in model.variables if "shiftguard" in v.path]
    return wrapped + attributes + variables
