"""Writer of PNG images, with NumPy and the standard library only."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2}  # color type by number of channels. Given by PNG.
SUB = 1  # the filter that stores the difference to the pixel on the left. Given by PNG.


def png(image: np.ndarray) -> bytes:
    """Returns an image as the content of a PNG file.

    Args:
        image: `(height, width, channels)` uint8, with 1 channel (gray) or 3 (RGB).

    Example:

    >>> png(np.zeros((2, 3, 1), "uint8"))[:8] == SIGNATURE
    True
    """
    height, width, channels = image.shape
    left = np.pad(image, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    rows = (image - left).reshape(height, -1)  # uint8 wraps around, as PNG requires
    data = np.concatenate([np.full((height, 1), SUB, "uint8"), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
