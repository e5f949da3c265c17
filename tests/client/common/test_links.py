import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common.links import address, links


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("look: https://example.org/a?b=c#d.", "https://example.org/a?b=c#d"),
        ("(https://example.org/x)", "https://example.org/x"),
        ("https://en.example.org/wiki/A_(b) is it", "https://en.example.org/wiki/A_(b)"),
        ("*https://example.org/*", "https://example.org/"),
        ("`http://localhost:8000/`", "http://localhost:8000/"),
        ("HTTPS://Example.org", "HTTPS://Example.org"),
        ("“https://example.org/x”", "https://example.org/x"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("https://good.example\u200b.evil.example", "https://good.example"),
        ("https://good.example/\u202egnp.exe", "https://good.example/"),
        ("https://a.example/\x1b]8;;x", "https://a.example/"),
        ("https://a.example/$(x);|&'", "https://a.example/$(x);|&"),
    ],
)
def test_a_link_ends_where_the_sentence_goes_on(text: str, link: str) -> None:
    assert links(text) == [link]


def test_each_link_is_told_once() -> None:
    assert links("http://a.example http://b.example http://a.example") == ["http://a.example", "http://b.example"]
    assert links("ftp://a.example https:// www.example.org https://. http://-flag file:///etc/passwd https://...") == []


@given(st.text(max_size=40))
def test_an_address_is_printable_ascii_without_spaces(text: str) -> None:
    for link in links(f"https://example.org/{text}"):
        assert address(link).isascii() and address(link).isprintable() and " " not in address(link)


def test_what_is_encoded_already_stays() -> None:
    assert address("https://example.org/%C3%BC?a=b&c=d#e") == "https://example.org/%C3%BC?a=b&c=d#e"
    assert address("https://example.org/ü") == "https://example.org/%C3%BC"
