"""A fault is reported once, in words, with what was probably meant; comments of authors are not part of a policy."""

import json
from functools import cache, reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cds_service import spelling
from cds_service.policy import schema_faults
from cds_service.policy.json_files import FILES, read_json
from cds_service.policy.schema_words import KEYWORDS
from tests.charts import MINIMAL, named
from tests.loading import schema

# What holds other schemas, and what only remarks; all else in a schema is a demand and needs a sentence.
HOLDERS = {"$defs", "$ref", "allOf", "if", "then", "else", "items", "prefixItems", "properties", "propertyNames"}
REMARKS = {"$schema", "$comment", "title", "description"}
BY_NAME = {"$defs", "properties", "patternProperties", "dependentSchemas"}


def schema_nodes(schema):
    """Every schema inside a schema, itself included."""
    if isinstance(schema, list):
        for inner in schema:
            yield from schema_nodes(inner)
    elif isinstance(schema, dict):
        yield schema
        for keyword, inner in schema.items():
            if keyword in BY_NAME:
                yield from schema_nodes(list(inner.values()))
            elif keyword not in {"enum", "const", "required", "dependentRequired"}:
                yield from schema_nodes(inner)


def shipped_nodes():
    for name in FILES:
        yield from schema_nodes(schema(name).schema)


def test_every_demand_of_our_schemas_has_its_sentence():
    assert {keyword for node in shipped_nodes() for keyword in node} - HOLDERS - REMARKS <= KEYWORDS


def test_every_pattern_is_said_in_words():
    assert [node for node in shipped_nodes() if "pattern" in node and not node.get("description")] == []


FORMS = {
    "oneOf": [
        {"$ref": "#/$defs/closed", "required": ["fact"], "properties": {"fact": {}, "is": {}}},
        {"$ref": "#/$defs/closed", "required": ["of"], "properties": {"of": {"type": "array"}, "at_least": {}}},
    ],
    "$defs": {"closed": {"type": "object"}},
}
CLOSED = {
    "oneOf": [
        {"additionalProperties": False, "required": ["fact"], "properties": {"fact": {}, "is": {"type": "boolean"}}},
        {"additionalProperties": False, "required": ["of"], "properties": {"of": {"type": "array"}, "at_least": {}}},
    ]
}
LIMIT = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[$]", "description": "$ and a name"}]}
KINDS = {
    "required": ["kind"],
    "properties": {"kind": {"enum": ["age", "onset", "order"]}, "codes": {}, "item": {}},
    "allOf": [
        {"if": {"properties": {"kind": {"const": "age"}}}, "then": {"properties": {"codes": False}}},
        {
            "if": {"properties": {"kind": {"const": "onset"}}},
            "then": {"anyOf": [{"required": ["codes"]}, {"required": ["item"]}]},
        },
        {
            "if": {"properties": {"kind": {"const": "order"}}},
            "else": {"maxProperties": 2},
            "then": {"minProperties": 2},
        },
    ],
}
NAMES = {"properties": {"if": {"type": "number"}, "then": {"properties": {"properties": {"type": "number"}}}}}


@pytest.mark.parametrize(
    ("schema", "document", "place", "sentence"),
    named(
        (
            "a branch by its keys",
            CLOSED,
            {"fact": "age", "si": True},
            "$",
            "'si' is not known here; did you mean 'is'? Allowed: is, fact",
        ),
        ("a value inside a branch", CLOSED, {"fact": "age", "is": 3}, "$.is", "found 3; expected true or false"),
        (
            "no branch by anything",
            FORMS,
            {"all": []},
            "$",
            "found an object with the key 'all'; expected an object with the key 'fact' or an object with the "
            "key 'of'",
        ),
        (
            "two branches at once",
            FORMS,
            {"fact": "age", "of": []},
            "$",
            "an object with the keys 'fact' and 'of' must match only one of these, and matches more: "
            "an object with the key 'fact'; an object with the key 'of'",
        ),
        ("a quoted number", LIMIT, "8", "$", "found the text '8'; expected a number, so leave out the quotes"),
        ("a name", LIMIT, "least", "$", "'least' is not allowed here; allowed: $ and a name"),
        ("neither of two kinds", LIMIT, [1], "$", "found the list [1]; expected a number or $ and a name"),
        (
            "a key that another forbids",
            KINDS,
            {"kind": "age", "codes": 1},
            "$",
            "the key 'codes' is not allowed here (where 'kind' is 'age')",
        ),
        (
            "one of two keys",
            KINDS,
            {"kind": "onset"},
            "$",
            "found an object with the key 'kind'; expected the key 'codes' or the key 'item' (where 'kind' is "
            "'onset')",
        ),
        ("nothing follows from what is missing", KINDS, {}, "$", "the key 'kind' is missing"),
        (
            "otherwise",
            KINDS,
            {"kind": "age", "item": 1, "x": 1},
            "$",
            "found the keys 'kind', 'item' and 'x' together; at most 2 are allowed "
            "(where 'kind' is not 'order')",
        ),
        (
            "a key named like a keyword",
            NAMES,
            {"if": 1, "then": {"properties": "x"}},
            "$.then.properties",
            "found the text 'x'; expected a number",
        ),
        ("two keys apart", {"not": {"required": ["a", "b"]}}, {"a": 1, "b": 1}, "$",
         "the keys 'a' and 'b' may not be used together"),
        ("a key apart", {"not": {"required": ["a"]}}, {"a": 1}, "$", "the key 'a' is not allowed here"),
        ("too large", {"maximum": 5}, 6, "$", "6 is too large; the maximum is 5"),
        ("at a limit", {"exclusiveMaximum": 5}, 5, "$", "5 is too large; it must be below 5"),
        ("a keyword without its sentence", {"multipleOf": 5, "description": "a multiple of five"}, 6, "$",
         "6 is not allowed here; allowed: a multiple of five"),
        ("a key of no schema", {"unevaluatedProperties": False, "properties": {"abc": {}}}, {"acb": 1}, "$",
         "'acb' is not known here; did you mean 'abc'? Allowed: abc"),
        ("a key that must be like others", {"additionalProperties": False, "patternProperties": {"^x": {}}},
         {"xa": 1, "b": 2}, "$", "'b' is not known here; there is none to choose from"),
    ),
)  # fmt: skip
def test_a_fault_is_reported_once(schema, document, place, sentence):
    assert schema_faults.problems(Draft202012Validator(schema), document) == [(place, sentence)]


JSON = st.none() | st.booleans() | st.integers() | st.floats(-9, 9) | st.text(max_size=9) | st.just([]) | st.just({})
# The smallest rule set: each fault is looked for in a whole file, twice.
SOUND = {name: read_json(MINIMAL / f"{name}.json") for name in FILES}


def places_of(value, steps=()):
    yield steps
    for step, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places_of(inner, (*steps, step))


@cache
def places(name):
    return st.sampled_from([steps for steps in places_of(SOUND[name]) if steps])


@given(st.data())
def test_what_is_let_through_at_once_has_no_fault(data):
    name = data.draw(st.sampled_from(FILES))
    document = json.loads(json.dumps(SOUND[name]))
    *parents, last = data.draw(places(name))
    inner = reduce(lambda value, step: value[step], parents, document)
    if isinstance(inner, dict) and data.draw(st.booleans()):
        inner[data.draw(st.text(max_size=9))] = inner.pop(last)
    else:
        inner[last] = data.draw(JSON | st.just("2026-02-30") | st.just("2026-02-28"))
    asked = schema(name)
    assert asked.problems(document) == schema_faults.problems(asked.wording, document)


def test_places_stand_in_the_order_of_the_file():
    schema = {"type": "array", "items": {"type": "number"}}
    told = schema_faults.problems(Draft202012Validator(schema), ["x", *range(9), "x"])
    assert [place for place, _ in told] == ["$[0]", "$[10]"]


@pytest.mark.parametrize(
    ("name", "allowed", "sentence"),
    named(
        ("a misspelling", "onste", ["age", "onset"], "did you mean 'onset'? Allowed: onset, age"),
        (
            "another case and joint",
            "Pain_Onset",
            ["pain-onset"],
            "did you mean 'pain-onset'? Allowed: pain-onset",
        ),
        ("letters that changed places", "on", ["no"], "did you mean 'no'? Allowed: no"),
        ("nothing like it", "height", ["age", "onset"], "allowed: age, onset"),
        ("nothing at all", "height", [], "there is none to choose from"),
    ),
)
def test_the_nearest_name_is_offered(name, allowed, sentence):
    assert spelling.nearest(name, allowed) == sentence


def test_a_long_list_of_names_is_cut_to_the_nearest():
    told = spelling.nearest("fact-77", [f"fact-{number}" for number in range(100)] + ["x" * 300])
    assert told.startswith("did you mean 'fact-77'? Allowed: fact-77, fact-7, ")
    assert told.endswith(" and 89 more")
    assert len(spelling.nearest("y", ["x" * 80 + str(number) for number in range(100)])) < 300


# --- comments ---------------------------------------------------------------------------------------------------------


def test_comments_are_left_out_at_any_depth(tmp_path):
    file = tmp_path / "policy.json"
    file.write_text('{"//": "one", "//": "two", "a": [{"// why": {"b": 1}, "c": "// no comment"}]}', encoding="utf-8")
    assert read_json(file) == {"a": [{"c": "// no comment"}]}


def test_a_mark_that_an_editor_puts_before_the_text_is_left_out(tmp_path):
    file = tmp_path / "policy.json"
    file.write_bytes(b"\xef\xbb\xbf{}")
    assert read_json(file) == {}
