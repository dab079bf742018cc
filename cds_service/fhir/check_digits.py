"""Check digits of codes: LOINC's (mod 10, LOINC Users' Guide) and SNOMED CT's (Verhoeff, SNOMED CT identifiers)."""

import re
from collections.abc import Callable, Mapping

from cds_service.fhir.terminology import LOINC, SNOMED

_LOINC = re.compile(r"(\d{1,7})-(\d)")
_SNOMED = re.compile(r"\d{6,18}")

# Verhoeff's scheme: the dihedral group of order 10, and the permutation of each place.
_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_FIRST = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def is_loinc(code: str) -> bool:
    """Whether a code can be a LOINC code: its last digit is the check digit of the others."""
    found = _LOINC.fullmatch(code)
    if found is None:
        return False
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(found[1])))
    return (10 - sum(number // 10 + number % 10 for number in doubled)) % 10 == int(found[2])


def is_snomed(code: str) -> bool:
    """Whether a code can be a SNOMED CT code: 6 to 18 digits, of which the last is the check digit."""
    if not _SNOMED.fullmatch(code):
        return False
    total = 0
    for place, digit in enumerate(reversed(code)):
        number = int(digit)
        for _ in range(place % 8):
            number = _FIRST[number]
        total = _TIMES[total][number]
    return total == 0


# For each canonical system, the check of its codes.
CHECKED: Mapping[str, Callable[[str], bool]] = {LOINC: is_loinc, SNOMED: is_snomed}
