"""What kind of change a covariate shift is: a corruption, another pipeline, augmentation."""
