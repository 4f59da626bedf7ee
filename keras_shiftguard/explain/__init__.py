"""What an accuracy is lost to (`explain_gap`), what shifts cost, and accuracy without labels."""
