"""The linter of prose: each rule fails on a made-up sentence, each kind of file gives its prose and nothing else."""

import json

import pytest

from tests.prose import rules as linter
from tests.prose.passages import MAKERS, READERS, passages

# A sentence for each word of the list, and for each form that no list can say.
SENTENCES = (
    "The labeled indication of the device.",
    "The labelled device.",
    "Outside the label since 2020.",
    "The studied population was small.",
    "Two criteria are undocumented.",
    "Three criteria are to document.",
    "The record speaks against the answer.",
    "The service holds the chart against the criteria.",
    "Therapy was tried and failed.",
    "A tumour was recognised.",
    "The health record is opened.",
    "A chart is held against the criteria.",
    "It checks the age, and the weight besides.",
    "The operator is told what is wrong.",
    "The abstract was seen.",
    "The service wants to be configured.",
    "The case notices the slip.",
    "The torture runs for minutes.",
    "Most calls are nobody's business.",
    "Unknown is an answer.",
    "The value is not known; allowed are days.",
    "The page is not shown any more.",
    "It reads ten pages at the most.",
    "The range is turned round.",
    "The file would else be lost.",
    "The text is no JSON.",
    "It answers in spite of a gap.",
    "The file is written anew.",
    "Thus the call ends.",
    "Send a resource, e.g. a Patient.",
    "Add the host to the whitelist.",
    "Send all of it again.",
    "What it says there counts.",
    "Write a policy in JSON.",
    "It rose by 57 %.",
    "It ends \N{EN DASH} at last.",
)


def words_in(text, audience=READERS):
    return [word for _, word, *_ in linter.in_text(text, audience, linter.rules())]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_with_a_replaced_word_is_a_finding(sentence):
    assert words_in(sentence)


def test_every_rule_finds_what_it_must():
    silent = [rule for rule in linter.rules() if not any(rule.pattern.search(sentence) for sentence in SENTENCES)]
    assert silent == []


def test_plain_sentences_have_no_finding():
    assert words_in("The service evaluates the chart against the criteria. A plain - no:\n- a list") == ["-"]
    assert words_in("The payer's policy says 57%. See /etc/hosts, `--no-slips`, and policy.json.") == []


def test_policy_is_a_payers_where_users_read_it_and_a_class_where_code_is_read():
    assert words_in("Load the policy.", READERS) == ["policy"]
    assert words_in("Load the policy.", MAKERS) == []


@pytest.mark.parametrize(
    ("name", "content", "line", "word"),
    [
        ("page.md", "# Title\n\nNothing here.\nIt is told\nhere.", 4, "is told"),
        ("page.md", "A line that is\ntold on the next.", 1, "is told"),
        ("page.html", "<p>\n{{ word('It is told') }}\n<b>It is told</b></p>", 3, "is told"),
        ("page.html", '<p>\n{{ word("It is told") }}</p>', 2, "is told"),
        ("page.html", '<a\n title="It is told">x</a>', 2, "is told"),
        ("page.html", "{#\nIt is told. #}", 2, "is told"),
        ("main.js", 'const a = 1;\nsay("It is told");', 2, "is told"),
        ("main.js", "const a = 1; // It is told.", 1, "is told"),
        ("style.css", "a {}\n/* It is told. */", 2, "is told"),
        ("code.py", '"""It is told."""', 1, "is told"),
        ("code.py", "x = 1\n# It is\n# told.", 2, "is told"),
        ("code.py", 'x = 1\nraise ValueError(f"It is told {x}")', 2, "is told"),
        ("code.py", "x = 1\nsay(f\"It {'is told' if x else 'was'} {x}\")", 2, "is told"),
        ("code.py", "x = 1\nsay(f\"It {'is' if x else 'has'} told {x}\")", 2, "is told"),
        ("code.py", "def test_it_is_told():\n    assert True", 1, "is told"),
        ("card.json", '{\n"lead": "It is told."}', 2, "is told"),
        ("cases.json", '{"cases": [\n{"name": "It is told."}]}', 2, "is told"),
        ("Makefile", "run: ## It is told", 1, "is told"),
        ("pyproject.toml", "x = 1  # It is told", 1, "is told"),
    ],
)
def test_prose_is_found_with_its_line(tmp_path, name, content, line, word):
    (tmp_path / name).write_text(content, encoding="utf-8")
    (found, *more) = linter.findings(tmp_path, [tmp_path / name], ())
    assert (found.file, found.line, found.word, more) == (name, line, word, [])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.md", "```sh\nis told\n```\n`is told` [x](is-told) <!-- is told -->"),
        ("page.html", "<script>\"is told\"</script>{% if 'is told' %}x{% endif %}"),
        ("main.js", "const told = is.told(`${is told}`);"),
        ("code.py", "told = is_told(1)"),
        ("test_code.json", '{"quote": "It is told.", "citation": "It is told."}'),
        ("cases.json", '{"cases": [{"name": "A case.", "change": {"text": "It is told."}}]}'),
        ("picture.png", "It is told."),
    ],
)
def test_code_and_the_words_of_sources_are_no_prose(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert linter.findings(tmp_path, [tmp_path / name], ()) == []


def test_strings_of_tests_are_data(tmp_path):
    (tmp_path / "tests").mkdir()
    path = tmp_path / "tests" / "test_it.py"
    path.write_text('"""A test."""\nsaid = "It is told."', encoding="utf-8")
    assert [passage.text for passage in passages(path)] == ["A test."]


def test_an_exception_allows_one_place_and_is_a_finding_where_nothing_needs_it(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("A quoted word that is told.\n\nAnother sentence, far away from it, that is told again here.")
    quoted = linter.Excepted("page.md", "quoted word", "it is quoted")
    assert [found.line for found in linter.findings(tmp_path, [page], (quoted,))] == [3]
    stale = linter.Excepted("page.md", "nowhere", "it was quoted")
    assert [found.instead for found in linter.findings(tmp_path, [page], (quoted, stale))][1:] == [
        "this exception is not needed"
    ]


def test_every_exception_has_a_reason():
    assert all(one.because for one in linter.exceptions())


def test_the_list_has_no_word_twice():
    listed = json.loads((linter.ROOT / "cds_service/authoring/words.json").read_text(encoding="utf-8"))
    words = [word for part in listed.values() for word in part]
    assert len(words) == len(set(words))
