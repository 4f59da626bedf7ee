"""Streaming statistics of a model's inputs, labels and outputs, computed on the device.

On TensorFlow they are updated inside the compiled step; on JAX and PyTorch the host calls the
updates beside the step.

Each statistic is a small class, in a file of its own, with three methods:

- `__init__` creates the variables that the statistic needs, in a `State` (`state.py`);
- `update` adds one batch to them, with `keras.ops`;
- `read(values)` turns their values, copied to the host as float64, into the fields of a
  summary of `keras_shiftguard.profiles`.

The statistics of an input's pixels (`counts.py`, `moments.py`, `extremes.py`) take a `Batch`;
those of sampled pixels (`quantiles.py`, `lattice.py`) take `SampledPixels`; those of whole
samples (`details.py` and what it uses) take the tensor itself. The sketches that also work on
their own have `drain`, which reads and resets their variables: `FeatureSketch`,
`EmbeddingSketch`, `LabelSketch`, `OutputSketch` and `Sketch`. `sketch.py` combines all
statistics of one input, and `stream.py` those of all inputs and the labels.

More files that several of them use: `classes.py` says how labels are read as class ids and
outputs as probabilities; `tracing.py` turns updates into pure functions, which are traced (on
TensorFlow) or compiled (on JAX) once; `padding.py` gives batches one size on JAX. An argument
`rows` is the number of samples of a batch that was padded, or None.

The module `statistics` of the standard library is something else; it is imported as
`from statistics import ...`, this package as `keras_shiftguard.statistics`.
"""
