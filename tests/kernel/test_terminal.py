"""Tables show text as it is, and nothing that could drive a terminal."""

from quietshift.kernel.terminal import plain, show_table


def test_cells_are_neither_markup_nor_control(capsys):
    show_table(("a", "b"), [("[bold]x[/bold] :smile:", "one\ntwo \x1b[31mred\x07"), (None, "")])
    out = capsys.readouterr().out
    assert "[bold]x[/bold] :smile:" in out
    assert "one two �[31mred�" in out
    assert "\x1b" not in out
    assert plain(None) == "-"


def test_long_lines_are_whole_where_no_terminal_reads_them(capsys):
    show_table(("a",), [("x" * 200,)])
    assert "x" * 200 in capsys.readouterr().out


def test_nothing_is_said_on_standard_error(capsys):
    show_table(("a",), [], empty="no schedules")
    assert capsys.readouterr() == ("", "no schedules\n")
