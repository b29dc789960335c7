"""The known findings: what an entry covers, what is wrong with a file, and how a file is changed without harm."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from harness import Case, Crop, Layer
from harness.errors import UsageError
from harness.judge.baseline import HEADER, Baseline, Entry, updated
from harness.judge.condition import Condition, Facts
from harness.records import Asked, Disagreement, Expression, Finding, Kind, Observation, Oracle, Outcome, Target

API = "torch.nn.ConvTranspose"
LAYER = Layer(1, 1, 3, 1, 0, 1, 2, ndim=1)
CASE = Case(LAYER, input_size=(3,))
CASE_TEXT = json.dumps(CASE.to_json(), separators=(",", ":"))

#: explaining a failure takes longer than finding it
UNEXPLAINED = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)

ENTRY = f"""\
[[known]]
id = "a1b2c3d4e5f6"
oracle = "contract"
api = "{API}"
kind = "acceptance"
reason = "documented in the tracker"
"""
FULL = f"""\
schema = 1

{ENTRY}modes = ["eager", "abstract"]
versions = ">=2.13,<2.14"
condition = "any((a >= s) & (a < d))"
upstream = "https://example.org/1"
expires = 2027-06-01
sentence = "is accepted"
case = '{CASE_TEXT}'
"""


def disagreement(
    oracle: Oracle = Oracle.CONTRACT, kind: Kind = Kind.ACCEPTANCE, api: str = API, mode: str = "eager"
) -> Disagreement:
    """What an oracle objects to."""
    target = Target(api, mode)
    asked = Asked(target, "conv(x)", Expression(None, (Crop(0, 0),)))
    return Disagreement(oracle, kind, asked, Observation(target.name, Outcome.OK), cause="a < d")


def facts(version: str | None = "2.13.0+cpu", layer: Layer | None = LAYER) -> Facts:
    """What is known of the case."""
    return Facts.of(CASE, layer, mode="eager", version=version)


def entry(**changes: Any) -> Entry:
    """An entry that covers the disagreement, with other fields."""
    fields = {"id": "dilated", "oracle": Oracle.CONTRACT, "api": API, "kind": Kind.ACCEPTANCE, "reason": ""}
    return Entry(**{**fields, **changes})


def finding(**changes: Any) -> Finding:
    """The finding of the disagreement, with other fields."""
    fields: dict[str, Any] = {
        "id": "0123456789ab",
        "oracle": "contract",
        "kind": "acceptance",
        "verdict": "contract",
        "suspect": f"{API}+eager",
        "targets": (f"{API}+eager",),
        "facets": {"modes": ("abstract", "eager"), "versions": ("2.13.0+cpu",), "dtypes": ("float32",), "ndims": (1,)},
        "agreeing": (),
        "count": 3,
        "first_case": 7,
        "sentence": "conv(x) is accepted",
        "call": "conv(x)",
        "cause": "a < d",
        "case": CASE.to_json(),
        "minimal": None,
        "expected_size": None,
        "observed_size": (4,),
        "max_abs_error": None,
        "bound_ratio": None,
        "rule": None,
        "first_difference": None,
        "log_tail": None,
        "reproduce": "deconvdiff replay",
    }
    return Finding(**{**fields, **changes})


def parsed(text: str) -> tuple[Entry, ...]:
    """The entries of a text; where the standard library reads TOML, it reads the same."""
    entries = Baseline.parse(text, "known.toml").entries
    try:
        tomllib = importlib.import_module("tomllib")
    except ModuleNotFoundError:
        return entries
    data = tomllib.loads(text.removeprefix("\ufeff"))
    assert [table["id"] for table in data.get("known", [])] == [entry.id for entry in entries]
    assert [table.get("sentence") for table in data.get("known", [])] == [entry.sentence for entry in entries]
    return entries


def refused(text: str) -> str:
    """The message about a file that is wrong, in one line."""
    with pytest.raises(UsageError) as caught:
        Baseline.parse(text, "known.toml")
    message = str(caught.value)
    assert message.startswith("known.toml: ")
    assert message.isprintable()
    return message


def test_every_field_is_read() -> None:
    """Each as the thing that it stands for."""
    assert parsed(FULL) == (
        Entry(
            id="a1b2c3d4e5f6",
            oracle=Oracle.CONTRACT,
            api=API,
            kind=Kind.ACCEPTANCE,
            reason="documented in the tracker",
            modes=("eager", "abstract"),
            versions=SpecifierSet(">=2.13,<2.14"),
            condition=Condition.parse("any((a >= s) & (a < d))"),
            upstream="https://example.org/1",
            expires=date(2027, 6, 1),
            sentence="is accepted",
            case=CASE.to_json(),
        ),
    )


def test_optional_fields_are_for_all() -> None:
    """An entry without them covers every mode, version and case, and does not expire."""
    (one,) = parsed(f"schema = 1\n{ENTRY}")
    assert (one.modes, one.versions, one.condition, one.expires) == ((), None, None, None)
    assert not one.expired(date(9999, 12, 31))


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "schema = 1", "\ufeffschema = 1\n", "schema = 1\r\n"])
def test_nothing_is_known_of_an_empty_file(text: str) -> None:
    """Neither is anything wrong with it, nor with a byte order mark or the line ends of another system."""
    assert parsed(text) == () == Baseline.empty().entries


def test_entries_may_stand_in_a_list() -> None:
    """TOML has two ways to write the same tables."""
    inline = f'{{id = "x", oracle = "contract", api = "{API}", kind = "size", reason = ""}}'
    assert [one.id for one in parsed(f"schema = 1\nknown = [{inline}]")] == ["x"]


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    """The path is the name in messages."""
    path = tmp_path / "known.toml"
    path.write_text(FULL, encoding="utf-8")
    assert Baseline.read(path) == Baseline.read(str(path)) == Baseline.parse(FULL, str(path))
    path.write_text("schema = 2", encoding="utf-8")
    with pytest.raises(UsageError, match="schema=2: this version reads schema 1"):
        Baseline.read(path)


@pytest.mark.parametrize("content", [None, b"schema = 1 # \xff", b"\xff\xfes\x00"])
def test_what_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    """A folder, or a file in another encoding; likewise a file that is not there."""
    path = tmp_path / "known.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    for unreadable in path, tmp_path / "none.toml", "a\0b":
        with pytest.raises(UsageError) as caught:
            Baseline.read(unreadable)
        assert str(unreadable) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_the_shipped_file_is_read_and_says_why() -> None:
    """It lies in the package; what we ship has been looked at."""
    shipped = Baseline.shipped()
    assert shipped.name.endswith("known.toml")
    assert all(one.reason for one in shipped.entries)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("schema = 1\n[[known]] id", 2),
        ("schema = 1\nschema = 1", 2),
        (f'schema = 1\n\n{ENTRY}id = "b1b2c3d4e5f6"\n', 9),
        (f'schema = 1\n{ENTRY}sentence = """\n', 8),
        (f"schema = 1\n{ENTRY}expires = 2027-02-30\n", 8),
        ("schema = 1\nknown = {", 2),
        ("schema = 1\nx = '\x1b'", 2),
    ],
)
def test_what_is_not_toml_is_named_with_its_line(text: str, line: int) -> None:
    """Also a field that stands twice in an entry, as where the header of the next entry was forgotten."""
    assert f"known.toml: line {line}: is not TOML" in refused(text)


@pytest.mark.parametrize("text", ["[" * 10**5, "x = " + "[" * 10**5, "x = " + "{x = " * 10**4], ids=["[[", "[", "{"])
def test_a_file_nested_without_end_is_not_toml(text: str) -> None:
    """Whether the parser stops by itself or overflows."""
    assert "is not TOML" in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 2\nshape = 1", "schema=2: this version reads schema 1; install a newer deconvdiff"),
        ("schema = '1'", "schema='1': this version reads schema 1; write schema = 1"),
        ("schema = true", "schema=True"),
        ("schema = 1.0", "schema=1.0"),
        ("schema = 0", "schema=0"),
        (ENTRY, "schema is missing: write schema = 1"),
        ("schema = 1\nfound = 3", "found=3: has no place here"),
        ('schema = 1\n"a\\nb" = 3', "'a\\nb'=3"),
        ("schema = 1\nknown = 3", "known=3: must be [[known]] tables"),
        ("schema = 1\nknown = [3]", "known=[3]: must be"),
        ("schema = 1\n[known]\nid = 'x'", "known={'id': 'x'}: must be"),
    ],
)
def test_a_file_of_another_form_is_refused(text: str, said: str) -> None:
    """The schema is asked first: a newer file may have other fields."""
    assert said in refused(text)


@pytest.mark.parametrize("field", ["id", "oracle", "api", "kind", "reason"])
def test_a_missing_field_is_named(field: str) -> None:
    """With the entry's id, or its number where it has none."""
    text = "".join(line for line in ENTRY.splitlines(keepends=True) if not line.startswith(field))
    named = "" if field == "id" else " (id 'a1b2c3d4e5f6')"
    other = ENTRY.replace("a1b2", "0000")
    assert f"known.toml: entry 2{named}: {field} is missing: an entry has id, " in refused(f"schema = 1\n{other}{text}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("colour = 'red'", "colour='red': is not a field; known are id, oracle,"),
        ("known.x = 1", "known={'x': 1}: is not a field"),
        ("modes = 'eager'", "modes='eager': must be a list of modes"),
        ("modes = []", "modes=[]: must be a list of modes"),
        ("modes = [1]", "modes=[1]: must be a text"),
        ("modes = ['']", "modes=['']: must be one line of text"),
        ("versions = 2.13", "versions=2.13: must be a text"),
        ("versions = '2.13'", "versions='2.13': must be a range of versions by PEP 440"),
        ("versions = ''", "versions='': must be a range"),
        ("versions = ','", "versions=',': must be a range"),
        ("versions = '>=two'", "versions='>=two': must be a range"),
        (f"versions = '=={'9' * 5000}'", "must be a range"),
        ("condition = 3", "condition=3: must be a text"),
        ("condition = 'any(a >= q)'", "condition 'any(a >= q)': column 10: 'q' is not a name here"),
        ("upstream = 3", "upstream=3: must be a text"),
        ("expires = '2027-06-01'", "expires='2027-06-01': must be a date without quotes, like 2027-06-01"),
        ("expires = 2027-06-01T00:00:00Z", "must be a date"),
        ("sentence = ['x']", "sentence=['x']: must be a text"),
        ("case = 3", "case=3: must be a text"),
        ("case = 'x'", "case='x': holds no case (case='x': is not JSON"),
        ("case = '{\"schema\":9}'", "this version reads schema 1); copy it from a report or leave it out"),
        (f"case = '{'[' * 5000}'", "holds no case"),
    ],
)
def test_a_wrong_field_is_named(line: str, said: str) -> None:
    """File, entry, field, value, rule and what to do."""
    message = refused(f"schema = 1\n{ENTRY}{line}\n")
    assert message.startswith("known.toml: entry 1 (id 'a1b2c3d4e5f6'): ")
    assert said in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"contract"', '"porting"', "oracle='porting': must be one of agreement, contract"),
        ('"contract"', "['contract']", "oracle=['contract']: must be one of"),
        ('"acceptance"', '"accept"', "kind='accept': must be one of size, value, gradient,"),
        ('"a1b2c3d4e5f6"', '" "', "id=' ': must be one line of text with something in it"),
        ('"a1b2c3d4e5f6"', '"a\\nb"', "id='a\\nb': must be one line of text"),
        ('"a1b2c3d4e5f6"', "12", "entry 1: id=12: must be a text in quotes"),
        (f'"{API}"', '""', "api='': must be one line of text"),
        ('"documented in the tracker"', "true", "reason=True: must be a text"),
    ],
)
def test_a_wrong_value_of_a_required_field_is_named(old: str, new: str, said: str) -> None:
    """The choices are listed."""
    assert said in refused(f"schema = 1\n{ENTRY.replace(old, new)}")


def test_an_id_stands_once() -> None:
    """Otherwise it could not be said which entry covers a finding."""
    said = refused(f"schema = 1\n{ENTRY}{ENTRY.replace('a1b2', '0000')}{ENTRY}")
    assert "known.toml: entry 3: id='a1b2c3d4e5f6': is the id of entry 1 too; append -2" in said


def test_an_entry_counts_up_to_its_last_day() -> None:
    """The day itself included."""
    (one,) = parsed(FULL)
    days = [date(2027, 5, 31), date(2027, 6, 1), date(2027, 6, 2)]
    assert [one.expired(day) for day in days] == [False, False, True]


@pytest.mark.parametrize(
    ("other", "covered"),
    [
        ({}, True),
        ({"kind": Kind.REJECTION}, True),
        ({"kind": Kind.SIZE}, False),
        ({"oracle": Oracle.AGREEMENT}, False),
        ({"api": "tf.nn.conv_transpose"}, False),
        ({"mode": "xla"}, True),
    ],
)
def test_oracle_api_and_family_must_be_equal(other: dict[str, Any], covered: bool) -> None:
    """Acceptance and rejection are one family; any mode where the entry names none."""
    assert entry().covers(disagreement(**other), facts()) is covered


@pytest.mark.parametrize(
    ("modes", "covered"), [((), True), (("eager",), True), (("jit", "eager"), True), (("jit",), False)]
)
def test_the_mode_must_be_among_those_named(modes: tuple[str, ...], covered: bool) -> None:
    """No modes are all modes."""
    assert entry(modes=modes).covers(disagreement(), facts()) is covered


@pytest.mark.parametrize(
    ("versions", "version", "covered"),
    [
        (">=2.13,<2.14", "2.13.1", True),
        (">=2.13,<2.14", "2.13.1+cpu", True),
        (">=2.13,<2.14", "2.12", False),
        (">=2.13,<2.14", "2.14.0", False),
        ("==2.13.0", "2.13.0+cpu", True),
        ("==2.13.0+cpu", "2.13.0+cpu", True),
        ("==2.13.0+cpu", "2.13.0+rocm", False),
        (">=2.13", "2.15.0.dev20270101", True),
        (">=2.13", "2.13rc1", False),
        ("==2.13.*", "2.13.7", True),
        (">=0", None, False),
        (">=0", "unknown", False),
        (None, None, True),
    ],
)
def test_the_version_must_lie_in_the_range(versions: str | None, version: str | None, covered: bool) -> None:
    """By PEP 440, pre-releases too; an unknown version lies in no range."""
    one = entry(versions=None if versions is None else SpecifierSet(versions))
    assert one.covers(disagreement(), facts(version)) is covered


@pytest.mark.parametrize(
    ("condition", "layer", "covered"),
    [
        ("any((a >= s) & (a < d))", LAYER, True),
        ("any((a >= s) & (a < d))", LAYER.replace(output_padding=0), False),
        ("any((a >= s) & (a < d))", None, False),
        ("ndim == 1", None, True),
    ],
)
def test_the_condition_must_hold(condition: str, layer: Layer | None, covered: bool) -> None:
    """Of the layer that was asked; what is unknown does not hold."""
    assert entry(condition=Condition.parse(condition)).covers(disagreement(), facts(layer=layer)) is covered


@pytest.mark.parametrize(
    ("id_", "covered"),
    [
        ("{signature}", True),
        ("{signature}-2", True),
        ("{signature}-17", True),
        ("0123456789ab", False),
        ("0123456789ab-2", False),
        ("{signature}-0", True),
        ("0123456789ab-x", True),
        ("0123456789AB", True),
        ("output padding below dilation", True),
    ],
)
def test_an_id_decides_if_it_is_a_signature(id_: str, covered: bool) -> None:
    """Twelve lower-case hex digits and perhaps a number; anything else is a label and decides nothing."""
    one = entry(id=id_.format(signature=disagreement().signature))
    assert one.covers(disagreement(), facts()) is covered


def test_the_first_entry_that_covers_is_the_match() -> None:
    """In the order of the file; an expired entry matches too, for it is to be reported as expired."""
    wrong, old, new = entry(kind=Kind.SIZE), entry(id="old", expires=date(2000, 1, 1)), entry(id="new")
    assert Baseline("", (wrong, old, new)).match(disagreement(), facts()) is old
    assert Baseline("", (wrong,)).match(disagreement(), facts()) is None
    assert Baseline.empty().match(disagreement(), facts()) is None


def test_a_new_file_explains_its_format() -> None:
    """From no text at all: a header, the schema and the entry, which covers what was found."""
    seen = finding(id=disagreement().signature)
    text = updated("", add=[seen])
    assert text.startswith(HEADER)
    (one,) = parsed(text)
    assert one == Entry(
        id=seen.id,
        oracle=Oracle.CONTRACT,
        api=API,
        kind=Kind.ACCEPTANCE,
        reason="",
        modes=("abstract", "eager"),
        versions=SpecifierSet("==2.13.0"),
        sentence="conv(x) is accepted",
        case=CASE.to_json(),
    )
    assert one.covers(disagreement(), facts())


def test_the_header_explains_every_field() -> None:
    """The header of a new file has each name once where it is explained."""
    explained = HEADER.replace("(", " ").split()
    assert set(Entry.__dataclass_fields__) <= set(explained)


@pytest.mark.parametrize("text", ["", " \n\n", "\ufeff"])
def test_a_new_file_without_entries_can_be_read(text: str) -> None:
    """Nothing was found: an update changes nothing, and what it leaves is read as no entries."""
    assert updated(text) == text
    assert parsed(updated(text, add=[finding()]))[0].id == "0123456789ab"


def test_a_file_of_comments_gets_the_schema() -> None:
    """The comments stay on top."""
    text = updated("# ours\n", add=[finding()])
    assert text.startswith("# ours\nschema = 1\n\n[[known]]\n")
    assert len(parsed(text)) == 1


@pytest.mark.parametrize(
    ("suspect", "api"),
    [
        (f"{API}+eager", API),
        (f"{API}+xla@old", API),
        ("package.module:Class+eager", "package.module:Class"),
    ],
)
def test_the_api_is_derived_from_the_suspect(suspect: str, api: str) -> None:
    """A target's name without mode and environment."""
    (one,) = parsed(updated("", add=[finding(suspect=suspect)]))
    assert one.api == api


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("2.13.0",), "==2.13.0"),
        (("2.13.0+cpu", "2.13.0+rocm"), "==2.13.0"),
        (("2.10.0", "2.9.1", "2.11rc1"), ">=2.9.1,<=2.11rc1"),
        (("unknown",), None),
        (("unknown", "9" * 5000), None),
        (("unknown", "2.13.0"), "==2.13.0"),
        ((), None),
    ],
)
def test_versions_are_those_in_which_it_was_seen(versions: tuple[str, ...], expected: str | None) -> None:
    """From the first to the last, of whatever build; no range where no version is known."""
    facets = {**finding().facets, "versions": versions}
    (one,) = parsed(updated("", add=[finding(facets=facets)]))
    assert one.versions == (None if expected is None else SpecifierSet(expected))
    for version in versions if one.versions else ():
        assert version == "unknown" or one.versions is None or one.versions.contains(version, prereleases=True)


def test_a_pinned_version_is_written_instead() -> None:
    """For the API that it is given for."""
    pinned = {API: "2.14.1", "other": "1.0"}
    (one,) = parsed(updated("", add=[finding()], pinned=pinned))
    assert one.versions == SpecifierSet("==2.14.1")


def test_the_minimal_case_is_kept_where_there_is_one() -> None:
    """It is the one to look at."""
    minimal = CASE.replace(input_size=(1,)).to_json()
    (one,) = parsed(updated("", add=[finding(minimal=minimal)]))
    assert one.case == minimal


def test_a_finding_without_facets_is_known_in_all_modes() -> None:
    """No modes are not an empty list of modes, which no file may hold."""
    (one,) = parsed(updated("", add=[finding(facets={})]))
    assert (one.modes, one.versions) == ((), None)


def test_an_id_in_the_file_gets_the_next_free_number() -> None:
    """A finding's own -2 stands as it is if it is free; a removed entry's id is free."""
    ids = ["0123456789ab", "0123456789ab", "0123456789ab-2", "ffffffffffff-3", "ffffffffffff-3", "label", "label"]
    text = updated("", add=[finding(id=id_) for id_ in ids])
    expected = [
        "0123456789ab",
        "0123456789ab-2",
        "0123456789ab-3",
        "ffffffffffff-3",
        "ffffffffffff-2",
        "label",
        "label-2",
    ]
    assert [one.id for one in parsed(text)] == expected
    again = updated(text, add=[finding(), finding()], remove=["0123456789ab", "label-2"])
    assert [one.id for one in parsed(again)] == [*expected[1:-1], "0123456789ab", "0123456789ab-4"]


MESSY = '''\
# Known findings of somebody
schema = 1   # one

# section one

# about a
# and more about a
  [[known]]   # head
id = "a"
oracle = 'contract'
api="x"
kind='size'   # aligned
reason = """
[[known]]
# not a comment"""
# about b
[[ known ]]
id = "b"
	oracle = "contract"
api="x"
kind='size'
# inside b
reason = ""
modes = [
  "eager",  # why
]

# section two

	[["known"]]
id = "c"
oracle = "contract"
api="x"
kind='size'
reason = "ünï"


# the end
'''


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("ids", "gone"),
    [
        (["a"], range(5, 15)),
        (["b"], range(15, 26)),
        (["c"], range(28, 35)),
        (["a", "c"], [*range(5, 15), *range(28, 35)]),
        (["a", "b", "c"], [*range(5, 26), *range(28, 35)]),
    ],
)
def test_only_removed_entries_go(ids: list[str], gone: list[int], end: str) -> None:
    """With the comments directly above them; all other lines stay as they are, and no double gap is left."""
    lines = MESSY.splitlines()
    expected = [line for number, line in enumerate(lines) if number not in gone and line.strip()]
    text = updated(MESSY.replace("\n", end), remove=[*ids, "none"])
    assert [line for line in text.split(end) if line.strip()] == expected
    assert end * 4 not in text
    assert [one.id for one in parsed(text)] == [id_ for id_ in "abc" if id_ not in ids]


def test_removing_the_last_entry_leaves_no_gap_at_the_end() -> None:
    """The blank line before it goes too."""
    first, second = ENTRY, ENTRY.replace("a1b2", "0000")
    text = f"schema = 1\n\n{first}\n{second}"
    assert updated(text, remove=["0000c3d4e5f6"]) == f"schema = 1\n\n{first}"
    assert updated(text, remove=["a1b2c3d4e5f6"]) == f"schema = 1\n\n{second}"
    assert updated(text, remove=["a1b2c3d4e5f6", "0000c3d4e5f6"]) == "schema = 1\n"


@pytest.mark.parametrize("text", [MESSY, MESSY.replace("\n", "\r\n"), "\ufeff" + MESSY, MESSY.rstrip(), FULL])
def test_added_entries_change_nothing_before_them(text: str) -> None:
    """They come last, with the file's line ends; taken out again they leave what was there."""
    end = "\r\n" if "\r\n" in text else "\n"
    grown = updated(text, add=[finding(), finding()])
    assert grown.startswith(text)
    assert grown.count("\n") == grown.count(end)
    assert [one.id for one in parsed(grown)][-2:] == ["0123456789ab", "0123456789ab-2"]
    back = updated(grown, remove=["0123456789ab", "0123456789ab-2"])
    assert back == (text if text.endswith("\n") else text + end)


@pytest.mark.parametrize("changes", [{}, {"add": []}, {"remove": ["none"]}, {"remove": []}, {"pinned": {API: "1"}}])
def test_without_changes_the_text_is_the_same(changes: Mapping[str, Any]) -> None:
    """Byte for byte, also where an id to remove is not in it."""
    assert updated(MESSY, **changes) == MESSY


def test_a_list_of_entries_is_not_updated() -> None:
    """[[known]] tables cannot follow known = [...]; the message says what to write."""
    inline = f'{{id = "x", oracle = "contract", api = "{API}", kind = "size", reason = ""}}'
    for changes in {"remove": ["x"]}, {"add": [finding()]}:
        with pytest.raises(UsageError, match=r"write each entry as a \[\[known\]\] table"):
            updated(f"schema = 1\nknown = [{inline}]\n", **changes)


@pytest.mark.parametrize("text", ["schema = 2\n", "schema = 1\n[[known]]\n", "["])
def test_a_wrong_file_is_not_updated(text: str) -> None:
    """Nothing is written over a file that could not be read."""
    with pytest.raises(UsageError, match="baseline"):
        updated(text, add=[finding()])


PIECES = ["'", '"', '"""', "'''", "\\", "\n", "\r\n", "\r", "\t", "\0", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff"]
MORE_PIECES = ["\ud800", "#", "[[known]]", "\nid = 'x'", "é", "😀", "\\u0041", "{}", " "]
HOSTILE = st.text(max_size=40) | st.lists(st.sampled_from(PIECES + MORE_PIECES), max_size=8).map("".join)


@settings(deadline=None, max_examples=80, phases=UNEXPLAINED)
@given(sentences=st.lists(HOSTILE, min_size=1, max_size=3), word=HOSTILE)
def test_hostile_texts_come_back(sentences: list[str], word: str) -> None:
    """Quotes, line ends, control characters, whole entries in a sentence: the file stays TOML and says the same.

    TOML has no lone surrogates; they become the replacement character, and the file can be written as UTF-8.
    """
    asked = Case(LAYER, input_size=(3,)).to_json()
    asked = Case.from_json({**asked, "layer": None, "spelling": {"api": "x", "arguments": {"word": word}}}).to_json()
    facets = {"modes": ("eager", *([word] if word.isprintable() and word.strip() else []))}
    text = updated(FULL, add=[finding(sentence=said, case=asked, facets=facets) for said in sentences])
    text.encode()
    added = parsed(text)[1:]
    assert [one.sentence for one in added] == [
        "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in said)
        for said in sentences
    ]
    assert all(one.case == asked for one in added)
    assert all(one.modes == facets["modes"] for one in added)
    assert updated(text, remove=[one.id for one in added]) == FULL


COMMENTS = st.lists(st.sampled_from(["", "# note", "  # [[known]]", '# """', "\t"]), max_size=4)


@settings(deadline=None, max_examples=100, phases=UNEXPLAINED)
@given(
    blocks=st.lists(
        st.tuples(
            COMMENTS,
            st.sampled_from(["[[known]]", "  [[known]]", "[[ known ]] # x", "[['known']]"]),
            st.sampled_from(['"x"', '"""\n[[known]]\n# x"""', "'''\n\n# '''", '"x" # reason', '""']),
            COMMENTS,
        ),
        min_size=1,
        max_size=4,
    ),
    tail=COMMENTS,
    drops=st.sets(st.integers(0, 3)),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_a_file_looks_like_the_rest_of_it_stays(
    blocks: list[tuple[list[str], str, str, list[str]]], tail: list[str], drops: set[int], end: str
) -> None:
    """Every line that belongs to no removed entry is kept in its place, blank lines between entries aside."""
    lines, kept = ["schema = 1"], ["schema = 1"]
    for number, (above, header, reason, inside) in enumerate(blocks):
        fields = [f"id = '{number}'", *inside, "oracle = 'contract'", "api = 'x'", "kind = 'size'"]
        written = [header, *fields, *f"reason = {reason}".split("\n")]
        loose = len(above)
        while loose and above[loose - 1].lstrip().startswith("#"):
            loose -= 1
        lines += [*above, *written]
        kept += above[:loose] if number in drops else [*above, *written]
    text = end.join([*lines, *tail, ""])
    assert updated(text, remove=["none"]) == text
    result = updated(text, remove=[str(number) for number in drops])
    assert [line for line in result.split(end) if line.strip()] == [line for line in [*kept, *tail] if line.strip()]
    assert [one.id for one in parsed(result)] == [str(n) for n in range(len(blocks)) if n not in drops]


LINES = st.lists(st.sampled_from(FULL.splitlines(keepends=True)), max_size=9).map("".join)


@settings(deadline=None, max_examples=200, phases=UNEXPLAINED)
@given(st.text(max_size=80) | LINES)
def test_any_text_is_a_file_or_an_error_of_one_line(text: str) -> None:
    """Nothing but a usage error comes out of a text, and it can be shown in one line."""
    try:
        said = Baseline.parse(text, "known.toml").name
    except UsageError as error:
        said = str(error)
    assert said.startswith("known.toml")
    assert said.isprintable()


def test_a_large_file_is_quick() -> None:
    """Hundreds of entries are read and half of them removed, past long gaps, without a square of the work."""
    text = updated("", add=[finding(id=f"{number:012x}") for number in range(300)]).replace("\n\n", "\n" * 30)
    started = time.perf_counter()
    kept = updated(text, remove=[f"{number:012x}" for number in range(0, 300, 2)])
    assert time.perf_counter() - started < 20
    assert len(parsed(kept)) == 150


def test_entries_are_values() -> None:
    """The same text makes equal entries, and a change another one."""
    assert parsed(FULL) == parsed(FULL)
    assert replace(parsed(FULL)[0], reason="") != parsed(FULL)[0]
