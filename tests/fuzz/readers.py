"""Every reader of files from strangers, as a function of bytes.

Each returns whether the input came past the first check (of a header, a checksum, a
file's kind); whatever it raises is a bug.
"""

from functools import partial


def reader(name, folder):
    """The reader of that name; files of one input are put into the folder."""
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
