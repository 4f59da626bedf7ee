"""Recognition of why inputs differ: a corruption, a changed pipeline or unit, augmentation."""
