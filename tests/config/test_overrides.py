"""The grammar of KEY=VALUE: what a value is read as, what it is written as, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inpaint.config.overrides import parse, quoted
from inpaint.errors import ConfigError


def value(text: str) -> object:
    found = parse(f"key={text}")
    assert found.sweep is None
    return found.value


def jobs(text: str, names: tuple[str, ...] = ()) -> list[str]:
    return [job.removeprefix("key=") for job in parse(f"key={text}").jobs(names)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("1", 1),
        ("-1", -1),
        ("+1", 1),
        ("1_000", 1000),
        ("007", "007"),
        ("0x10", "0x10"),
        ("1e-4", 1e-4),
        ("1e6", 1e6),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e", "1e"),
        ("inf", "inf"),
        ("-Inf", "-Inf"),
        ("nan", "nan"),
        ("1e999", "1e999"),
        ("2020-01-01", "2020-01-01"),
        ("12:30", "12:30"),
        ("", ""),
        ("  ", ""),
        (" a  b ", "a  b"),
        ("null x", "null x"),
        ("'1'", "1"),
        ('"null"', "null"),
        ("''", ""),
        ("'it\\'s'", "it's"),
        ('"it\'s"', "it's"),
        ("'back\\slash'", "back\\slash"),
        ("'back\\\\'", "back\\"),
        ("'a,b'", "a,b"),
        ("a\\,b", "a,b"),
        ("a\\ ", "a "),
        ("a\\\\", "a\\"),
        ("C:\\x", "C:\\x"),
        ("a\\(b\\)", "a(b)"),
        ("*.jpg", "*.jpg"),
        ("data-{0..9}.tar", "data-{0..9}.tar"),
        ("${data.size}", "${data.size}"),
        ("${oc.env:HOME}/x", "${oc.env:HOME}/x"),
        ("${oc.env:NAME,a\\,b}", "${oc.env:NAME,a\\,b}"),
        ("${a}${b}", "${a}${b}"),
        ("[]", []),
        ("[ a , 'b c',1.5 , null]", ["a", "b c", 1.5, None]),
        ("[1,[2,{a: 3}]]", [1, [2, {"a": 3}]]),
        ("{}", {}),
        ("{kind: tv, of: completed, weight: 0.1}", {"kind": "tv", "of": "completed", "weight": 0.1}),
        ("{kind:tv,of:completed}", {"kind": "tv", "of": "completed"}),
        ("{1: a, false: b}", {1: "a", False: "b"}),
        ("{'kind': 'l1', \"of\": [raw]}", {"kind": "l1", "of": ["raw"]}),  # as Python, and so W&B's agent, writes it
        ("{a: b: c}", {"a": "b: c"}),
        ("Fotos (2020)", "Fotos (2020)"),
        ("photos(1)", "photos(1)"),
        ("Größe=m", "Größe=m"),
        ("Größe, m", "Größe, m"),
        (" Größe ", " Größe "),
        ("a=b", "a=b"),
        ("x&y", "x&y"),
        ("it's", "it's"),
        ("~/photos", "~/photos"),
        ("a]", "a]"),
        ("a,", "a,"),
        ("${", "${"),
    ],
)
def test_a_value_is_read_as(text, expected):
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))


def test_a_quoted_text_is_of_pythons_own_type_wherever_it_stands():
    found = value("{a: ['b']}")
    assert type(found["a"][0]) is str


@pytest.mark.parametrize("mark", ["", "+", "++"])
def test_a_plus_before_the_key_changes_nothing(mark):
    found = parse(f"{mark}data.size=64")
    assert (found.key, found.value, found.deletes) == ("data.size", 64, False)


def test_a_tilde_leaves_a_key_out():
    assert (parse("~losses.coarse").deletes, parse("~losses.coarse").has_value) == (True, False)
    assert (parse("~clip=1.5").value, parse("~clip=1.5").has_value) == (1.5, True)


@pytest.mark.parametrize(
    "line",
    [
        *("batch_size", "=1", "+=1", "+++x=1", "~~x", "x =1", "x[0]=1", "-x=1"),
        *("key=[1,2", "key=[1,]", "key=[,]", "key=[a]b", "key={a}", "key={a:1,}", "key='a", "key='a'b", "key='a\n"),
        *("key=range()", "key=range(a,b)", "key=range(0,1,0)", "key=range(1,2),3", "key=glob(1)", "key=sort(1),2"),
        *("key=choice()", "key=choice(1,2)x", "key=choice(choice(1,2))"),
    ],
)
def test_what_cannot_be_read_says_how_it_is_written(line):
    with pytest.raises(ConfigError, match=r"cannot read .*: write KEY=VALUE, e\.g\. data\.size=128"):
        parse(line)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("clip=interval(0,1)", "an interval cannot be enumerated; use a,b,c or range(start,stop,step)"),
        ("seed=sort(2,1)", "write the values in their order"),
        ("seed=shuffle(range(3))", "write the values in the order"),
        ("seed=tag(a,choice(1,2))", "no tags here; use a,b,c"),
        ("batch_size=int(16.0)", "write the value alone"),
        ("wandb.notes=str (5)", "in quotes where it is text"),
        ("model@decoder=deepfill", "a chosen file always lands at the root; write model=NAME, without @decoder"),
    ],
)
def test_what_only_hydra_understands_says_what_to_write_instead(line, part):
    with pytest.raises(ConfigError) as caught:
        parse(line)
    assert str(caught.value).startswith(f"'{line}': ")
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", ["1"]),
        ("2, 4", ["2", "4"]),
        ("1e-4,2e-4,1e6,1_000", ["0.0001", "0.0002", "1000000.0", "1000"]),
        ("true,NULL,x", ["True", "null", "x"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ("a\\,b,c", ["a\\,b", "c"]),
        ("[1, 2],[3,'x y']", ["[1,2]", "[3,'x y']"]),
        ("{a: 1},{b: [2]}", ["{a:1}", "{b:[2]}"]),
        ("choice(a,'b')", ["a", "'b'"]),
        ("choice(1)", ["1"]),
        ("range(3)", ["0", "1", "2"]),
        ("range(0,10,3)", ["0", "3", "6", "9"]),
        ("range(3,0,-1)", ["3", "2", "1"]),
        ("range(start=1,stop=5,step=2)", ["1", "3"]),
        ("range(0,1,0.25)", ["0.0", "0.25", "0.5", "0.75"]),
        ("range(1,0,-0.5)", ["1.0", "0.5"]),
        ("Größe,m", ["Größe,m"]),  # one text: the grammar has no umlauts
    ],
)
def test_several_values_become_jobs(text, expected):
    assert jobs(text) == expected


def test_a_job_keeps_the_key_as_it_was_written():
    assert parse("++seed=0,1").jobs([]) == ["++seed=0", "++seed=1"]
    assert parse("~seed").jobs([]) == ["~seed"]


def test_a_pattern_chooses_among_the_names_of_a_group():
    names = ("deepfill", "edgeconnect", "pconv")
    assert jobs("glob(*)", names) == list(names)
    assert jobs("glob([d*,e*],exclude=e*)", names) == ["deepfill"]
    assert jobs("glob(include=[*e*],exclude=[e*,z*])", names) == ["deepfill"]


@pytest.mark.parametrize("text", ["range(3,3)", "range(0,3,-1)", "glob(z*)"])
def test_no_value_at_all_is_refused(text):
    with pytest.raises(ConfigError, match="stands for no value at all"):
        jobs(text, ("deepfill",))


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_quoted_text_is_read_as_it_stands(text):
    assert value(quoted(text)) == text


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(NESTED)
def test_a_job_reads_the_value_that_the_sweep_held(tree):
    def source(part: object) -> str:
        if isinstance(part, str):
            return quoted(part)
        if isinstance(part, list):
            return f"[{', '.join(map(source, part))}]"
        if isinstance(part, dict):
            return "{" + ", ".join(f"{quoted(key)}: {source(inner)}" for key, inner in part.items()) + "}"
        return "null" if part is None else str(part)

    first, second = parse(f"key={source(tree)},other").jobs([])
    assert parse(first).value == tree
    assert second == "key=other"
