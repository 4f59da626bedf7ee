/* Kinds and causes of shift: their meaning, and what can be done about them. */

export const KINDS = {
  preprocessing: {
    means:
      "Pixels reach the model in another form than they do in the other stream: " +
      "another scale, offset or channel order.",
    todo: "Give both streams the same preprocessing.",
  },
  label: {
    means:
      "The classes come with other frequencies. " +
      "Accuracy of the two streams cannot be compared as it stands.",
    todo:
      "Check how the data was split; stratify the split, or weigh the classes. " +
      "If the target really has another mix, correct the outputs for it.",
  },
  concept: {
    means:
      "Some classes look different here and the others do not: " +
      "the same name may stand for something else.",
    todo:
      "Look at samples of those classes in both streams, " +
      "and check that they were labelled by the same rules.",
  },
};

export const FAMILIES = {
  brightness: {
    means: "the images are lighter or darker as a whole.",
    todo: "Vary brightness in training, or bring both streams to one exposure.",
  },
  contrast: {
    means: "light and dark lie further apart, or closer together.",
    todo:
      "Vary contrast in training, or look for a step that " +
      "stretches contrast in one stream only.",
  },
  blur: {
    means: "fine detail is missing, or there is more of it.",
    todo: "Look for another resize method or focus; vary blur in training.",
  },
  aliasing: {
    means: "the images have jagged edges, as a resize without antialiasing leaves them.",
    todo: "Use the same resize method in both streams, with antialiasing.",
  },
  noise: {
    means: "there is more or less random grain in the images.",
    todo: "Look for another sensor, gain or compression; add noise in training.",
  },
  compression: {
    means: "the images carry traces of stronger or weaker compression.",
    todo: "Use the same quality when images are saved; vary JPEG quality in training.",
  },
  resolution: {
    means: "the images come from another resolution.",
    todo: "Resize both streams in the same way from the same size.",
  },
  colour: {
    means: "the colours, or their balance, differ.",
    todo: "Check white balance and channel order; vary hue and saturation in training.",
  },
  weather: {
    means: "it looks like haze, rain, snow or frost.",
    todo: "Collect or imitate such conditions for training.",
  },
  geometry: {
    means: "objects have another size or place in the image.",
    todo: "Check how images are cropped; vary crop, shift and scale in training.",
  },
  missing: {
    means: "values are missing more often, or less often.",
    todo: "Find out where they get lost, and fill them in the same way in both streams.",
  },
};

export const OTHER = {
  means: "The samples of this stream are different from those they are compared with.",
  todo:
    "Look at samples from both ends of the distribution. " +
    "If this is how the data will be in use, train on such data; if not, find the step that differs.",
};
