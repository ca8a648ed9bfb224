"""GrowthBook's bucketing hash: FNV-1a with 32 bits, versions 1 and 2, scalar and vectorised.

Sources: FNV-1a's offset basis and prime are those of the IETF draft draft-eastlake-fnv; the way a seed and a value
become a bucket is GrowthBook's "Build Your Own SDK" specification, whose public vectors are in
`tests/unit/experimentation`. Version 2 hashes `seed + value`, writes the number in decimal and hashes that again,
which breaks up the correlation that plain FNV-1a leaves between similar seeds; it has 10 000 buckets. Version 1
hashes `value + seed` once and has 1 000.
"""

from collections.abc import Sequence

import numpy as np
from fnv_hash_fast import fnv1a_32
from numpy.typing import NDArray

OFFSET_BASIS = 0x811C9DC5
PRIME = 0x01000193
MASK = 0xFFFFFFFF
BUCKETS = {1: 1_000, 2: 10_000}
"""Number of buckets by hash version."""


def fnv1a32(text: str) -> int:
    """FNV-1a hash of `text`, 32 bits, over UTF-16 code units, which is what every GrowthBook SDK hashes."""
    if text.isascii():
        return fnv1a_32(text.encode())
    # A code unit above 255 is folded whole, which no hash over bytes can do.
    state = OFFSET_BASIS
    for unit in np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2").tolist():
        state = (state ^ unit) * PRIME & MASK
    return state


def bucket(seed: str, value: str, version: int = 2) -> int:
    """Bucket of `value` under `seed`: 0…9 999 for version 2, 0…999 for version 1; KeyError for another version."""
    if version == 2:
        return fnv1a_32(b"%d" % fnv1a32(seed + value)) % 10_000
    return fnv1a32(value + seed) % BUCKETS[version]


def buckets(seed: str, values: Sequence[str]) -> NDArray[np.int64]:
    """Version 2 buckets of many ASCII values at once, for simulations and audits; shape (len(values),).

    Raises ValueError for a value with a character outside ASCII: use `bucket` for those.
    """
    encoded = np.array([value.encode("ascii") for value in values], dtype=np.bytes_)
    first = _fold_rows(np.full(len(values), fnv1a32(seed), dtype=np.uint64), encoded)
    second = _fold_rows(np.full(len(values), OFFSET_BASIS, dtype=np.uint64), first.astype(np.bytes_))
    return (second % BUCKETS[2]).astype(np.int64)


def _fold_rows(state: NDArray[np.uint64], rows: NDArray[np.bytes_]) -> NDArray[np.uint64]:
    width = rows.dtype.itemsize
    if not width or not len(rows):
        return state
    lengths = np.strings.str_len(rows)
    columns = np.frombuffer(rows.tobytes(), dtype=np.uint8).reshape(len(rows), width)
    for position in range(width):
        folded = ((state ^ columns[:, position]) * np.uint64(PRIME)) & np.uint64(MASK)
        state = np.where(position < lengths, folded, state)
    return state
