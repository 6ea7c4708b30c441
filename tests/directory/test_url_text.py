from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.directory.url_text import normalise_url


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("http://127.0.0.1:8000/api/", "http://127.0.0.1:8000/api/"),
        ("http://127.0.0.1:8000/api", "http://127.0.0.1:8000/api"),
        ("http://Example.COM", "http://example.com/"),
        ("HTTPS://h:443/a", "https://h/a"),
        ("http://h:80", "http://h/"),
        ("http://h:", "http://h/"),
        ("http://h:443", "http://h:443/"),
        ("http://h:0080/", "http://h/"),
        ("http://h:0/", "http://h:0/"),
        (" http://u:P@H/x?q#f\n", "http://u:P@h/x?q#f"),
        ("http:h/a", "http://h/a"),
        ("http:\\\\h\\a", "http://h/a"),
        ("http://h/a/./b/../c", "http://h/a/c"),
        ("http://h/a/..", "http://h/"),
        ("http://h/../a b", "http://h/a%20b"),
        ("http://h/%41é", "http://h/%41%C3%A9"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://[0:0::1]:81/", "http://[::1]:81/"),
        ("http://[::ffff:192.0.2.1]/", "http://[::ffff:c000:201]/"),
        ("http://[::192.0.2.1]/", "http://[::c000:201]/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0x7f000001/", "http://127.0.0.1/"),
        ("http://%68/", "http://h/"),
        ("http://BÜCHER.EXAMPLE/", "http://xn--bcher-kva.example/"),
        ("http://bücher.Example/", "http://xn--bcher-kva.example/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("localhost:8000/api", "localhost:8000/api"),
        ("MAILTO:a@b", "mailto:a@b"),
    ],
)
def test_normal_forms(written: str, normal: str) -> None:
    assert normalise_url(written) == normal
    assert normalise_url(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:8000/api",
        "//h/",
        "http:",
        "http://",
        "http://:80/",
        "http://h:x/",
        "http://h:65536/",
        "http://h:" + "9" * 5000,
        "http://a b/",
        "http://[::1/",
        "http://[x]/",
        "http://1.2.3.4.5/",
        "http://256.0.0.1/",
        "http://h%00/",
        "http://a..b.é" + "x" * 70,
    ],
)
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(ConfigurationError):
        normalise_url(text)


@given(st.text(max_size=30) | st.text(max_size=20).map("http://".__add__))
def test_either_a_stable_normal_form_or_the_one_error(text: str) -> None:
    try:
        normal = normalise_url(text)
    except ConfigurationError:
        return
    assert normalise_url(normal) == normal
