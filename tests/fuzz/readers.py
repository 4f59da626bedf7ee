"""Every reader of untrusted files, as a function of bytes.

Each function returns whether the input passed the first check (of a header, a checksum or
the kind of the file). If it raises an error, that is a bug.
"""

from functools import partial


def reader(name, folder):
    """Returns the reader of that name; it writes the files of an input to the folder."""
    if name == "profile":
        from fuzz.profiles import one_profile

        return one_profile
    if name == "array":
        from fuzz.profiles import one_array as read
    elif name == "events":
        from fuzz.events import one_log as read
    elif name == "images":
        from fuzz.images import one_directory as read
    else:
        from fuzz.models import one_model as read
    return partial(read, folder=folder)
