"""Streaming statistics of a model's inputs, labels and outputs, computed on the device.

They are updated beside the training step, which is compiled as without them.

Each statistic is a small class, in a file of its own, with three methods:

- `__init__` creates the variables that the statistic needs, in a `State` (`state.py`);
- `update` adds one batch to them, with `keras.ops`;
- `read(values)` turns their values, copied to the host as float64, into the fields of a
  summary of `keras_shiftguard.profiles`.

`update` takes a `Batch` in the statistics of all pixels (`moments.py`, `extremes.py`),
`SampledPixels` in those of sampled pixels (`quantiles.py`, `lattice.py`), and the tensor itself
in the others (`counts.py`, `fingerprint.py`, `details.py` and the files it uses). The sketches
that also work alone have `drain`, which reads and resets their variables: `FeatureSketch`,
`EmbeddingSketch`, `LabelSketch`, `OutputSketch` and `Sketch`. `sketch.py` combines all
statistics of one input, and `stream.py` those of all inputs and the labels.

Several statistics use these files: `classes.py` reads labels as class ids and outputs as
probabilities; `compiled.py` turns updates into pure functions, which TensorFlow
and JAX compile once; `padding.py` gives batches one size on JAX. An argument
`rows` is the number of samples in a batch that was padded; None if nothing was padded.

The standard library has another module called `statistics`. It is imported as
`from statistics import ...`, and this package as `keras_shiftguard.statistics`.
"""
