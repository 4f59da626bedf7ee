"""Streaming statistics of a model's inputs, labels and outputs, computed on the device.

The statistics are updated outside the training step, so that the step is compiled in the same way
as without them.

Each statistic of an input is a small class, in a file of its own, with three methods:

- `__init__` creates the variables that the statistic needs, in a `State` (`state.py`);
- `update` adds one batch to these variables, with `keras.ops`;
- `read(values)` turns the values of the variables, copied to the host as float64, into the fields
  of a summary of `keras_shiftguard.profiles`.

The argument of `update` depends on the statistic. Statistics of all pixels (`moments.py`) take a
`Batch`, statistics of sampled pixels (`quantiles.py`, `lattice.py`) take `SampledPixels`,
`FeatureSketch` and `EmbeddingSketch` take numbers computed for each sample, and other statistics
(`counts.py`, `fingerprint.py`, `tokens.py`, `details.py`) take the tensor itself.

`LabelSketch`, `OutputSketch` and `Sketch` have `drain`, which reads and resets their variables.
`sketch.py` combines all statistics of one input, and `stream.py` those of all inputs and of the
labels.

Several statistics use these files: `classes.py` reads labels as class ids and outputs as
probabilities; `compiled.py` turns updates into pure functions, which TensorFlow
and JAX compile once; `padding.py` gives batches one size on JAX. An argument
`rows` is the number of samples in a batch that was padded; None if nothing was padded.

The standard library has another module called `statistics`. The standard module is imported with
`from statistics import ...`, and this package as `keras_shiftguard.statistics`.
"""
