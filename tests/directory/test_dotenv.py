"""The rules of dotenvy, the odd ones included."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.directory.dotenv import assignments


def read(text: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Load a file the way dotenvy does: what is set already stays."""
    scope = dict(environ or {})
    for assignment in assignments(text, scope):
        scope.setdefault(assignment.key, assignment.value)
    return scope


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("KEY=1", "KEY", "1"),
        ('KEY="2"', "KEY", "2"),
        ("KEY='3'", "KEY", "3"),
        ("KEY='fo ur'", "KEY", "fo ur"),
        ('KEY="fi ve"', "KEY", "fi ve"),
        (r"KEY=s\ ix", "KEY", "s ix"),
        ("KEY=", "KEY", ""),
        ("KEY=     \n", "KEY", ""),
        ("KEY=   # comment", "KEY", ""),
        ("KEY=#not a value", "KEY", ""),
        ('KEY  ="blanks before"', "KEY", "blanks before"),
        ('KEY=    "blanks after"', "KEY", "blanks after"),
        ('export="a key"', "export", "a key"),
        ("export   KEY=1", "KEY", "1"),
        ("export = 1", "export", "1"),
        ("KEY=value # comment", "KEY", "value"),
        ("KEY=value\t# comment", "KEY", "value"),
        ("KEY=value \t#\\\n", "KEY", "value"),
        ("KEY=value#part", "KEY", "value#part"),
        ("K.E_Y0=1", "K.E_Y0", "1"),
        ("KEY=1\r\n", "KEY", "1"),
        ("\u00a0KEY\u3000=\u20031\u2028\n", "KEY", "1"),
        (r'KEY="a\nb\"c\\d\$e"', "KEY", 'a\nb"c\\d$e'),
        (r"KEY=a\nb\'c", "KEY", "a\nb'c"),
        ("KEY=a'b c'd\"e f\"g", "KEY", "ab cde fg"),
        ("KEY='a\nb'", "KEY", "a\nb"),
        ('KEY="a\n\n# b"', "KEY", "a\n\n# b"),
        ("KEY='$HOME ${HOME}'", "KEY", "$HOME ${HOME}"),
        ("KEY=a\\\n", "KEY", "a"),
        ('KEY=[{"url":"u"}]', "KEY", "[{url:u}]"),
    ],
)
def test_values(line: str, key: str, value: str) -> None:
    assert read(line) == {key: value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1\nK=$A", "1"),
        ("A=1\nK=${A}", "1"),
        ("A=1\nK=x${A}y", "x1y"),
        ("A=1\nK=$A.2", "1.2"),
        ("A=1\nK=$A$A", "11"),
        ("A=1\nK=$A_B", "1_B"),
        ("A=\nK=x$A", "x"),
        ("K=x$UNSET", "x"),
        ("K=$", ""),
        ("A=1\nA=2\nK=$A", "1"),  # the first definition wins, and substitution sees it
        ("E=file\nK=$E", "environment"),
        ('A=1\nK="${A}2"', "12"),
        ("A_B=1\nK=${A_B}", "1"),
        ("K=$K", ""),
    ],
)
def test_substitution(text: str, value: str) -> None:
    assert read(text, {"E": "environment"})["K"] == value


def test_a_name_swallows_the_closing_quote() -> None:
    """An oddity of dotenvy: the character behind ``$NAME`` is always literal."""
    with pytest.raises(ConfigurationError):
        read('A=1\nK="$A"\n')
    assert read('A=1\nK="${A}"\n')["K"] == "1"
    assert read("A=1\nK=$A b\n")["K"] == "1 b"
    with pytest.raises(ConfigurationError):  # only the first blank is literal
        read("A=1\nK=$A b c\n")


@pytest.mark.parametrize(
    "text",
    [
        "KEY",
        "KEY 1",
        "1KEY=1",
        "=1",
        "-=1",
        "KEY=a b",
        "KEY='open",
        'KEY="open',
        "KEY=${open",
        r"KEY=\x",
        "export KEY",
        "export export KEY=1",
        "export",
        "KEY=a\\",  # an escape where the file ends
        "KEY=1 2\n",
        "KEY=1  2\n",
        "KEY=1 ",  # a blank where the file ends without a line break
        "KÉY=1",
        "\ufeffKEY=1",
    ],
)
def test_malformed_files(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read(text)
    with pytest.raises(ConfigurationError):
        read("# comment\n\nGOOD=1\n" + text)


def test_the_error_names_the_line_and_not_its_content() -> None:
    with pytest.raises(ConfigurationError, match="line 3 ") as caught:
        read("A='1\n2'\nSECRET=abc def\n")
    assert "SECRET" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_lines_are_skipped_and_counted() -> None:
    found = list(assignments("\n# a=1\n  # b=2\n\nA=1\nB='x\ny'\nC=3", {}))
    assert [(item.key, item.line_number) for item in found] == [("A", 5), ("B", 6), ("C", 8)]
    assert [item.raw_value for item in found] == ["1", "'x\ny'", "3"]


@given(st.text(st.sampled_from("AB_.=$ \t\n\r'\"\\{}#1é\u00a0"), max_size=60))
@example("A=" + "\\" * 3 + "\n'")
def test_it_ends_in_assignments_or_in_one_error(text: str) -> None:
    try:
        variables = read(text)
    except ConfigurationError:
        return
    assert all(key[0].isalpha() or key[0] == "_" for key in variables)


@given(st.text(max_size=60), st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
def test_arbitrary_text_never_crashes(text: str, environ: dict[str, str]) -> None:
    before = dict(environ)
    try:
        read(text, environ)
    except ConfigurationError:
        return
    finally:
        assert environ == before


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,8}", fullmatch=True),
        st.text(st.characters(exclude_characters="'\\", exclude_categories=["Cs"]), max_size=20),
        max_size=5,
    )
)
def test_single_quotes_keep_any_text(variables: dict[str, str]) -> None:
    text = "".join(f"{key}='{value}'\n" for key, value in variables.items())
    assert read(text) == variables


def test_what_substitution_makes_of_a_small_file_is_bounded() -> None:
    """Thirty lines that double each other would be a gigabyte."""
    doubling = "A0=0123456789abcdef\n" + "".join(
        f"A{number + 1}=$A{number}$A{number}\n" for number in range(30)
    )
    with pytest.raises(ConfigurationError, match="substitutes more than 1048576 characters"):
        read(doubling)
