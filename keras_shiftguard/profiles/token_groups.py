"""Token ids in a profile: counted modulo a number, and hashed into a few groups for tests."""

from typing import Any

TOKEN_BUCKETS = 4096  # token ids are counted modulo this number. A convention.
NUM_GROUPS = 16  # groups that the ids are hashed into. A convention.


def group_of(ids: Any) -> Any:
    """Returns the group, 0 to 15, of each id below `TOKEN_BUCKETS`: int32 tensors, or int arrays.

    Multiplicative hashing (Knuth, volume 3, section 6.4), within int32.
    """
    return ids * 40503 % 65536 // (65536 // NUM_GROUPS)
