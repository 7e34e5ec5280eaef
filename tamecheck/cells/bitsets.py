"""Sets of small numbers as rows of 64-bit words, and runs of numbers one after the other."""

from __future__ import annotations

import numpy as np

from tamecheck.ir.tensor import Array

__all__ = ["bit_of", "cardinality", "packed", "ranges", "unpacked", "words_of"]

_WORD = np.dtype("<u8")


def words_of(count: int) -> int:
    """How many words hold a set of numbers below ``count``; one at least."""
    return max(1, -(-count // 64))


def bit_of(number: int) -> tuple[int, np.uint64]:
    """The word of a number, and the mask of its bit there."""
    word, bit = divmod(number, 64)
    return word, np.uint64(1 << bit)


def packed(members: Array) -> Array:
    """Rows of truth values, shape ``(n, count)``, as words of shape ``(n, words_of(count))``."""
    count = members.shape[1]
    bytes_ = np.zeros((len(members), 8 * words_of(count)), dtype=np.uint8)
    bytes_[:, : (count + 7) // 8] = np.packbits(members, axis=1, bitorder="little")
    return bytes_.view(_WORD)


def unpacked(words: Array, count: int) -> Array:
    """The inverse of `packed`: an array of 0 and 1, shape ``(n, count)``."""
    bytes_ = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(bytes_, axis=1, count=count, bitorder="little")


def cardinality(words: Array) -> Array:
    """The number of elements of each set."""
    if words.shape[1] == 1:
        return np.bitwise_count(words[:, 0])
    return np.bitwise_count(words).sum(axis=1, dtype=np.int64)


def ranges(starts: Array, counts: Array) -> Array:
    """``starts[0], starts[0] + 1, …``, ``counts[0]`` of them, and so on for each entry."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - counts), counts) + np.arange(total)
