"""Markdown is taken apart into steps as an engineer would tell them."""

from textwrap import dedent

import pytest

from quietshift.runbooks import render
from quietshift.runbooks.config import parse
from quietshift.runbooks.steps import fence_info, read
from tests.support.needs import CORPORA

CORPUS = CORPORA / "runbooks"


def runbook(text, name="X"):
    return parse(name, dedent(text))


def titles(text):
    return [step.title for step in runbook(text).steps]


def test_items_of_ordered_lists_are_the_steps_with_the_code_that_stands_with_them():
    book = runbook(
        """\
        # Checkout fails

        ## Meaning
        1. This list explains
        2. and is no step.

        ## What to do
        1. Look at the **errors** on `shop`:

           ```sh { name=errors interactive=false }
           curl -s http://shop/metrics
           ```
        2. Restart it.

        ```sh {"name":"restart"}
        systemctl restart shop
        ```

        3. Verify.
           - not a step of its own
        """
    )
    assert book.title == "Checkout fails"
    assert [(s.number, s.title, s.line) for s in book.steps] == [
        (1, "Look at the errors on shop", 8), (2, "Restart it.", 13), (3, "Verify.", 19),
    ]  # fmt: skip
    first, second = book.steps[0].commands[0], book.steps[1].commands[0]
    assert (first.name, first.language, first.attributes["interactive"], first.line) == ("errors", "sh", "false", 10)
    assert first.code == "curl -s http://shop/metrics\n"
    assert (second.name, second.code) == ("restart", "systemctl restart shop\n")


def test_a_list_in_another_section_goes_on_counting_and_takes_no_code_that_is_not_its_own():
    text = """\
        ## First
        1. one

        Words between.

        ```sh
        not of step one
        ```
        ## Second
        1. two
        """
    book = runbook(text)
    assert [(s.number, s.title) for s in book.steps] == [(1, "one"), (2, "two")]
    assert book.steps[0].commands == ()


def test_check_lists_are_steps():
    assert titles("# T\n- [ ] Page the owner\n- [x] Breathe\n") == ["Page the owner", "Breathe"]


def test_without_lists_the_sections_that_tell_what_to_do_are_the_steps():
    text = """\
        # NodeRAIDDegraded
        ## Meaning
        A disk failed.
        ## Diagnosis
        ### Which disk
        ```console
        $ cat /proc/mdstat
        ```
        ### Which host
        Ask.
        ## Mitigation
        Replace it.
        #### Order one
        Here.
        ## Notes
        Nothing to do here.
        """
    book = runbook(text)
    assert [s.title for s in book.steps] == ["Which disk", "Which host", "Mitigation"]
    assert book.steps[0].commands[0].code == "$ cat /proc/mdstat\n"
    assert "Order one" in render.step_bodies(book)[2]
    assert "Nothing to do" not in render.step_bodies(book)[2]


def test_a_text_without_lists_and_sections_has_no_steps_and_is_titled_by_its_name():
    book = parse("storage/Odd", "Just call Ana.\n")
    assert (book.title, book.steps, book.alertname, book.href) == ("Odd", (), "Odd", "/runbooks/storage/Odd")


def test_a_long_item_is_titled_by_its_first_sentence_and_told_whole_below():
    long = "Look at the nodes. " + "Then think about it for a while. " * 8
    book = runbook(f"1. {long}\n")
    assert book.steps[0].title == "Look at the nodes."
    assert "Then think" in render.step_bodies(book)[0]


def test_a_step_whose_title_says_it_all_has_no_body_but_one_with_a_link_keeps_it():
    book = runbook("1. Breathe\n2. Read [the graph](https://grafana.example.org/d/1)\n")
    assert render.step_bodies(book)[0] == ""
    assert 'href="https://grafana.example.org/d/1"' in render.step_bodies(book)[1]


@pytest.mark.parametrize(
    ("info", "language", "attributes", "fault"),
    [
        ("sh", "sh", {}, False),
        ("", "", {}, False),
        ("sh { name=restart interactive=false }", "sh", {"name": "restart", "interactive": "false"}, False),
        ('sh {"name":"a b","rows":15,"background":true}', "sh", {"name": "a b", "rows": "15", "background": "true"}, False),
        ("sh {name='two words' promptEnv}", "sh", {"name": "two words", "promptEnv": "true"}, False),
        ("sh title=x {name=y}", "sh", {"name": "y"}, False),
        ("sh { name=restart", "sh", {}, True),
        ("sh { name='restart }", "sh", {}, True),
    ],
)
def test_fence_attributes_are_read_as_runme_writes_them(info, language, attributes, fault):
    read_language, read_attributes, told = fence_info(info)
    assert (read_language, read_attributes, bool(told)) == (language, attributes, fault)


def test_links_are_found_with_their_lines():
    document = read("# T\n\none [a](a.md)\ntwo [b][ref]\n\n1. three [c](../c.md#x)\n\n[ref]: b.md\n")
    assert [(link.href, link.line) for link in document.links] == [("a.md", 3), ("b.md", 4), ("../c.md#x", 6)]


@pytest.mark.corpus("runbooks")
def test_public_runbooks_give_sensible_steps():
    paths = sorted(CORPUS.rglob("*.md"))
    without = []
    for path in paths:
        book = parse(path.stem, path.read_text())
        assert book.title
        assert len(render.step_bodies(book)) == len(book.steps)
        assert all(0 < len(s.title) <= 160 and s.line for s in book.steps), path
        assert [s.number for s in book.steps] == list(range(1, len(book.steps) + 1))
        assert not {"Meaning", "Impact"} & {s.title for s in book.steps}, path
        assert len(book.steps) <= 20, path
        if not book.steps:
            without.append(path.stem)
    assert len(paths) >= 100
    assert len(without) <= len(paths) // 12, without  # helpers, redirections, and alerts that want nothing done
