"""A name in a file cannot steer the terminal."""

import io

import pytest
from rich.text import Text

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.errors import visible
from tamecheck.show.console import print_to


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x[0] → ü\n", "x[0] → ü\n"),
        ("a\x1b[31mb\x07", "a\\x1b[31mb\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b2J\r", "\\x9b2J\\r"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    assert visible(text) == shown


def test_printed_parts_keep_their_markup_as_text():
    file = io.StringIO()
    print_to(file, Text("[red]n\x1b[2J<script>"))
    assert file.getvalue() == "[red]n\\x1b[2J<script>\n"


@pytest.mark.parametrize("verb", ["check", "info"])
def test_names_of_a_model(verb, tmp_path, capsys):
    model = tc.expression("sin(x)")
    model.save(tmp_path / "m.json")
    text = (tmp_path / "m.json").read_text().replace('"x"', '"\\u001b[31mx"')
    (tmp_path / "m.json").write_text(text)
    main([verb, str(tmp_path / "m.json")])
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\\x1b[31mx" in out + err
