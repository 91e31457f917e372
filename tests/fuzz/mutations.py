"""Damage of files: what disks, transfers and other programs' bugs do to bytes, and what forgers do."""

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
"""Numbers at which sizes, counts and offsets are read wrong."""

WORDS = ("null", "NaN", "-1", "1e999", "[]", "{}", '""', "true", '"x"', "0", "99999999999999999999", '["a", 1]')
"""What takes the place of a value in JSON."""


def mutated(data, rng):
    """Return bytes with one to four mistakes in them.

    Args:
        data: The bytes of a valid file.
        rng: A ``random.Random``; equal states give equal mistakes.
    """
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        if data:
            rng.choice(_KINDS)(data, rng)
    return bytes(data)


def mutated_json(text, rng):
    """Return a JSON text with a value, a name or a character changed."""
    if rng.random() < 0.3:
        return mutated(text.encode(), rng)
    # A value is what stands between a colon, comma or bracket and the next one.
    borders = [i for i, character in enumerate(text) if character in ":,[{]}"]
    at = rng.randrange(len(borders) - 1)
    start, end = borders[at] + 1, borders[at + 1]
    return (text[:start] + rng.choice(WORDS) + text[end:]).encode()


def _place(data, rng):
    # Headers are small and decide most: every second mistake is in the first bytes.
    return rng.randrange(min(len(data), 512) if rng.random() < 0.5 else len(data))


def _flip_bit(data, rng):
    data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _set_byte(data, rng):
    data[_place(data, rng)] = rng.randrange(256)


def _set_number(data, rng):
    size, at = rng.choice((1, 2, 4, 8)), _place(data, rng)
    at -= at % rng.choice((1, size))
    number = rng.choice((*EXTREMES, len(data), rng.randrange(max(1, len(data))))) % 256**size
    data[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))


def _cut(data, rng):
    del data[_place(data, rng) :]


def _remove(data, rng):
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 16, 256))]


def _insert(data, rng):
    at = _place(data, rng)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16, 256)))


def _repeat(data, rng):
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.choice((4, 16, 256, 4096))]


def _move(data, rng):
    size, source, target = rng.choice((4, 8, 16, 64)), _place(data, rng), _place(data, rng)
    data[target : target + size] = data[source : source + size]


def _blank(data, rng):
    at, size = _place(data, rng), rng.choice((4, 16, 512, 4096))
    data[at : at + size] = bytes(len(data[at : at + size]))


def _noise(data, rng):
    at, size = _place(data, rng), rng.choice((4, 16, 512))
    data[at : at + size] = rng.randbytes(len(data[at : at + size]))


_KINDS = (_flip_bit, _set_byte, _set_number, _cut, _remove, _insert, _repeat, _move, _blank, _noise)
