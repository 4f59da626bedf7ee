"""Methods that align two domains, one file each."""
