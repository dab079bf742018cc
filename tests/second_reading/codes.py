"""Codes and words: what a concept says, and whether a code set reads it."""

import re
from functools import cache

from tests.second_reading.page import DRUGS, SHAPES, SYSTEMS, WORDS, Json, rule_set

ICD10CM, ICD10PCS, CPT, HCPCS = (
    next(uri for uri in SYSTEMS if uri.endswith(end)) for end in ("icd-10-cm", "ICD10", "/cpt", "HCPCSReleaseCodeSets")
)
RXNORM = next(uri for uri in SYSTEMS if uri.endswith("rxnorm"))
SNOMED = next(uri for uri in SYSTEMS if uri.endswith("/sct"))


class UnreadableError(Exception):
    """Something was sent, and cannot be read."""


def bare(system: str) -> str:
    text = re.sub(r"^(https?://(www\.)?|urn:oid:|urn:)", "", system.strip().lower()).split("|")[0].rstrip("/")
    if re.match(r"snomed\.info/(x?sct/|id)", text):
        return "snomed.info/sct"
    return text if "/" in text or "." in text else re.sub(r"[-_ ]", "", text)


BY_SPELLING = {bare(spelling): uri for uri, others in SYSTEMS.items() for spelling in (uri, *others)}


def spelled(system: str, code: str) -> str:
    code = code.strip().upper()
    if system in (CPT, HCPCS) and len(code) > 5:
        found = re.fullmatch(r"(.{5})([-: ]?[0-9A-Z]{2})+", code)
        return found[1] if found else code
    if system == ICD10CM and len(code) > 3 and "." not in code and not code.endswith("-"):
        return f"{code[:3]}.{code[3:]}"
    return code


@cache
def key_of(system: str | None, code: str) -> tuple[str, str] | None:
    """(system, code) as they are compared; None where the code says nothing."""
    if not system:
        shaped = next((uri for shape, uri in SHAPES if shape.fullmatch(code.strip().upper())), None)
        return (shaped, spelled(shaped, code)) if shaped else None
    uri = BY_SPELLING.get(bare(system))
    if uri is None:
        return None
    code = spelled(uri, code)
    if uri == HCPCS and re.fullmatch(r"\d{4}[0-9FTU]", code):
        uri = CPT
    elif uri == CPT and re.fullmatch(r"[A-V]\d{4}", code):
        uri = HCPCS
    return uri, code


def codings(concept: object) -> list[Json]:
    if concept is None:
        return []
    listed = concept.get("coding") if isinstance(concept, dict) else 0
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise UnreadableError
    return listed


def keys_of(concept: object) -> list[tuple[str, str]]:
    found = []
    for coding in codings(concept):
        system, code = coding.get("system"), coding.get("code")
        if not isinstance(code, str | None) or not isinstance(system, str | None):
            raise UnreadableError
        if code is not None and (key := key_of(system, code)):
            found.append(key)
    return found


def texts_of(concept: object) -> list[str]:
    if not isinstance(concept, dict):
        return []
    said = [concept.get("text"), *(coding.get("display") for coding in concept.get("coding") or [])]
    return list(dict.fromkeys(text for text in said if isinstance(text, str) and text))


@cache
def plain(text: str) -> str:
    return f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} "


# --- the manner in which a phrase is in a text --------------------------------------------------------------------

REPORTED, PAST, SUSPECTED, MENTIONED, RELATIVE, DENIED = range(6)
LISTS = [[tuple(phrase.split()) for phrase in sorted(row, key=len, reverse=True)] for row in WORDS]
BEFORE_DENIED, NO_DENIAL, BEHIND_DENIED, BEHIND_DENIED_ALONE, BEHIND_A_COLON, BEFORE_SUSPECTED, *OTHERS = LISTS
BEHIND_SUSPECTED, BEFORE_PAST, BEHIND_PAST, BEFORE_MENTIONED, ANY_MENTIONED, ANY_RELATIVE, GOES_ON = OTHERS
Tokens = list[str]


def at(tokens: Tokens, place: int, phrases: list[tuple[str, ...]]) -> int:
    """The place behind the longest of the phrases that is here; -1 for none."""
    return next((place + len(p) for p in phrases if tuple(tokens[place : place + len(p)]) == p), -1)


def first_end(tokens: Tokens, phrases: list[tuple[str, ...]]) -> int:
    """The place behind the first of the phrases; beyond the text where none is in it."""
    return next((end for place in range(len(tokens)) if (end := at(tokens, place, phrases)) > 0), len(tokens) + 1)


def behind(tokens: Tokens, place: int) -> set[tuple[int, int]]:
    """(manner, place behind) of what is said right behind a phrase."""
    found = {
        (m, e) for m, ps in ((SUSPECTED, BEHIND_SUSPECTED), (PAST, BEHIND_PAST)) if (e := at(tokens, place, ps)) > 0
    }
    colon = tokens[place : place + 1] == [":"]
    if (end := at(tokens, place + colon, BEHIND_DENIED)) > 0:
        found.add((DENIED, end))
    if (end := at(tokens, place, BEHIND_DENIED_ALONE)) > 0 and (end == len(tokens) or at(tokens, end, GOES_ON) > 0):
        found.add((DENIED, end))
    if colon and at(tokens, place + 1, sorted(BEHIND_A_COLON + BEHIND_DENIED_ALONE, key=len)) == len(tokens):
        found.add((DENIED, len(tokens)))
    return found


@cache
def clauses(text: str) -> list[list[Json]]:
    """The clauses of each sentence of a text, with all that is said of what is in them."""
    return [_sentence(part) for part in re.split(r"\.(?=\s|$)|[;\n\r]|(?i: but | however | although | though )", text)]


def _sentence(text: str) -> list[Json]:
    text = re.sub(r"\s[-\u2013\u2014]\s", " : ", text.lower())
    parts = [re.findall(r"[a-z0-9]+|[:?]", part) for part in text.split(",")]
    parts = [part for part in parts if part]
    relative = any(first_end(part, ANY_RELATIVE) <= len(part) for part in parts)
    mentioned = any(first_end(part, ANY_MENTIONED) <= len(part) for part in parts)
    last = max((n for n, part in enumerate(parts) if {"or", "nor"} & set(part)), default=-1)
    made, carried, labeled = [], False, False
    for n, part in enumerate(parts):
        blank = list(part)
        place = 0
        while place < len(blank):
            end = at(part, place, NO_DENIAL)
            blank[place:end] = ["."] * (end - place) if end > 0 else blank[place:end]
            place = end if end > 0 else place + 1
        denied = first_end(blank, BEFORE_DENIED)
        following = parts[n + 1] if n + 1 < len(parts) else []
        whole = RELATIVE if relative else MENTIONED if mentioned else REPORTED
        if following and not relative:
            whole = max([whole, *(manner for manner, end in behind(following, 0) if end == len(following))])
        starts = {DENIED: 0 if carried else denied, SUSPECTED: first_end(part, BEFORE_SUSPECTED)}
        starts |= {PAST: first_end(part, BEFORE_PAST), MENTIONED: first_end(part, BEFORE_MENTIONED)}
        opening = list(part)
        if "patient" in opening:
            opening.remove("patient")
        begins = any(at(opening, 0, [p]) > 0 for p in BEFORE_DENIED) and at(opening, 0, NO_DENIAL) < 0
        made.append({"tokens": part, "whole": whole, "from": starts, "begins_denied": begins})
        labeled = labeled or (denied <= len(part) and blank[denied : denied + 1] == [":"])
        carried = labeled or ((carried or denied <= len(part)) and n < last)
    return made


def manner_of(texts: list[str], phrases: list[str]) -> int | None:
    """The manner in which the phrases are in the texts of one concept; None where they do not."""
    least: list[int] = []
    for text in texts:
        if not any(f" {phrase} " in plain(text) for phrase in phrases):
            continue
        said = []
        for clause in (clause for sentence in clauses(text) for clause in sentence):
            tokens = clause["tokens"]
            for phrase in (phrase.split() for phrase in phrases):
                for place in range(len(tokens) - len(phrase) + 1):
                    if tokens[place : place + len(phrase)] == phrase:
                        manners = [clause["whole"], *(m for m, _ in behind(tokens, place + len(phrase)))]
                        manners += [manner for manner, start in clause["from"].items() if place >= start]
                        said.append(max(manners))
        least.append(min(said, default=REPORTED))
    return max(least, default=None)


def manner_beside_code(texts: list[str], phrases: list[str]) -> int:
    said = manner_of(texts, phrases)
    if said is not None:
        return said
    manners = [REPORTED]
    for text in texts:
        first = next((clause for sentence in clauses(text) for clause in sentence), None)
        if first is None:
            continue
        tokens, starts = first["tokens"], first["from"]
        manners += [first["whole"]] if first["whole"] != MENTIONED else []
        manners += [manner for manner in (SUSPECTED, PAST) if starts[manner] < len(tokens)]
        manners += [DENIED] if starts[DENIED] < len(tokens) and first["begins_denied"] else []
        ends = {m for place in range(len(tokens)) for m, end in behind(tokens, place) if end == len(tokens)}
        manners += [SUSPECTED] if SUSPECTED in ends else list(ends)
    return max(manners)


# --- code sets --------------------------------------------------------------------------------------------------------


class CodeSet:
    """One set of codes.json."""

    def __init__(self, entry: Json, systems: Json) -> None:
        self.rows = [(BY_SPELLING[bare(systems[row["system"]]["url"])], row) for row in entry["codes"]]
        self.exact: dict[tuple[str, str], str] = {}
        self.labels: dict[tuple[str, str], str | None] = {}
        self.families = []
        for uri, row in self.rows:
            code = spelled(uri, row["code"].removesuffix("-").removesuffix("."))
            if row["code"].endswith("-") or "through" in row:
                through = spelled(uri, row["through"]) if "through" in row else ""
                without = [spelled(uri, kept_out) for kept_out in row.get("except", ())]
                self.families.append((uri, code, through, without, row["label"]))
            else:
                self.exact[uri, code] = row["label"]
        self.drugs: dict[str, tuple[str, ...]] = {}
        wanted = entry.get("ingredients", ())
        for name in wanted:
            drug = DRUGS["drugs"][name]
            self.exact |= {(RXNORM, code): name for code in (drug["rxnorm"], *drug["products"]) if code}
            self.drugs |= {plain(said).strip(): (name,) for said in (name, *drug["names"], *drug["brands"])}
        for mixed in DRUGS["combinations"]:
            meant = tuple(sorted(set(mixed["of"]) & set(wanted)))
            if meant:
                self.exact |= {(RXNORM, code): " and ".join(meant) for code in mixed["products"]}
                self.drugs |= {plain(brand).strip(): meant for brand in mixed["brands"]}
        pair = entry.get("text_together", {})
        self.together, self.beside = pair.get("any_of", []), pair.get("beside", [])
        self.phrases = [*entry.get("text", ()), *self.drugs, *self.together]
        self.unless = entry.get("unless", [])
        self.words_beside_codes = "words_beside_codes" in entry

    def label(self, key: tuple[str, str]) -> str | None:
        """The label of the row that a coding falls under."""
        if key not in self.labels:
            self.labels[key] = self._label(key)
        return self.labels[key]

    def _label(self, key: tuple[str, str]) -> str | None:
        if key in self.exact:
            return self.exact[key]
        uri, code = key
        for family_uri, begin, through, without, label in self.families:
            inside = begin <= code[: len(through)] <= through if through else code.startswith(begin)
            kept_out = any(code.startswith(item[:-1]) if item.endswith("-") else code == item for item in without)
            if family_uri == uri and inside and not kept_out:
                return label
        return None

    def manner(self, texts: list[str], ordered: bool = False) -> int | None:
        """The manner in which words say what the set names; None where they do not."""
        said_plain = [plain(text) for text in texts]
        beside = any(f" {phrase} " in text for text in said_plain for phrase in self.beside)
        phrases = self.phrases if beside or not self.together else [p for p in self.phrases if p not in self.together]
        said = manner_of(texts, phrases)
        if said in (None, DENIED) or (said == MENTIONED and not ordered):
            return None
        return None if any(f" {word} " in text for text in said_plain for word in self.unless) else said

    def drugs_in(self, texts: list[str]) -> str:
        """The ingredients that words name, as one label."""
        said = "".join(plain(text) for text in texts)
        return " and ".join(
            sorted({name for phrase, names in self.drugs.items() if f" {phrase} " in said for name in names})
        )


@cache
def code_sets(name: str) -> dict[str, CodeSet]:
    """All code sets of a rule set."""
    codes = rule_set(name)["codes"]
    return {title: CodeSet(entry, codes["systems"]) for title, entry in codes["sets"].items()}
