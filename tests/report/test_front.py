"""The first page answers its questions with the numbers of the command line."""

import json
import re
import shlex

import numpy as np
import pytest
from corpus import save_forest

from tamecheck.cli.entry import main
from tests.report.conftest import Page

FRONT = ("overview", "quality", "form", "protected", "cases")


def shop(path):
    rng = np.random.default_rng(1)
    age, income = rng.integers(18, 80, 120), rng.integers(10, 90, 120)
    sex = rng.choice(["f", "m"], 120)
    bought = income + 8 * (sex == "m") + rng.normal(0, 4, 120) > 25 + age / 2
    rows = zip(age, income, sex, np.where(bought, "yes", "no"), strict=True)
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(["age,income,sex,bought", *lines]) + "\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a table, a model of it and a report on both; and what train said."""
    folder = tmp_path_factory.mktemp("front")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shop(folder / "shop.csv")
        options = ["--method", "tame", "--hidden", "2", "--test", "0.25", "-o", "shop.json"]
        assert main(["train", "shop.csv", "--target", "bought", *options, "-q"]) == 0
        # the table of the training is found
        asked = ["--protected", "sex", "-o", "shop.html", "-q"]
        assert main(["report", "shop.json", *asked]) == 0
    return folder


def part(text, key):
    """What a section of a page says."""
    start = text.index(f'<section id="{key}"')
    return Page(text[start : text.index("</section>", start) + len("</section>")]).text


def answer(made, capsys, monkeypatch, *arguments):
    monkeypatch.chdir(made)
    capsys.readouterr()
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_page_one_has_the_numbers_of_the_command_line(made, capsys, monkeypatch):
    text = (made / "shop.html").read_text(encoding="utf-8")
    assert all(text.index(f'id="{key}"') < text.index('id="details"') for key in FRONT)
    overview = part(text, "overview")
    assert "bought: no or yes" in overview
    _, counts = answer(made, capsys, monkeypatch, "count", "shop.json")
    assert f"Possible inputs{int(counts['total']):,}" in overview
    assert all(f"{int(count):,} (" in overview for count in counts["counts"])
    training = json.loads((made / "shop.json.features.json").read_text())["training"]
    quality = part(text, "quality")
    assert f"of {len(training['held_out'])} unseen rows" in quality
    record = training["record"]
    for one in (record["held_out"], *record["baselines"].values()):
        assert f"{one['accuracy']:.1%}{one['balanced_accuracy']:.1%}" in quality
    better = "no better than" if record["no_better_than"] else "is better than each"
    assert better in quality
    form = part(text, "form")
    _, rules = answer(made, capsys, monkeypatch, "rules", "shop.json", "--data", "shop.csv")
    assert " ".join(rules["text"].splitlines()[0].split()) in form
    asked = ("--data", "shop.csv", "--protected", "sex")
    _, groups = answer(made, capsys, monkeypatch, "explain", "shop.json", *asked)
    assert groups["rule"] in part(text, "protected")


@pytest.mark.slow
def test_each_case_is_explained_as_on_the_command_line(made, capsys, monkeypatch):
    cases = part((made / "shop.html").read_text(encoding="utf-8"), "cases")
    rows = re.findall(r"Row (\d+) \(line \d+\): ", cases)
    assert len(rows) == 6
    line = re.search(r"Check it again: (tamecheck explain .*?)tamecheck", cases)
    assert line is not None
    words = shlex.split(line[1])[1:]
    assert words[words.index("--rows") + 1] == ",".join(rows)
    code, found = answer(made, capsys, monkeypatch, *words)
    assert code == 0
    assert len(found["explanations"]) == len(set(rows))
    for one in found["explanations"]:
        assert one["checked"]
        assert all(literal in cases for literal in one["literals"])


def test_the_page_fits_a_phone_and_paper_by_construction(made):
    text = (made / "shop.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.wrong == []
    assert "script" not in page.tags
    style = text[text.index("<style>") : text.index("</style>")]
    for rule in ("@media print", "prefers-color-scheme:dark", "@page", "break-before:page"):
        assert rule in style
    # what is wide scrolls in its own box, and nothing has a width of its own
    assert text.count("<table>") == len(re.findall(r'<div class="wide"[^>]*><table>', text))
    assert ".wide{overflow-x:auto" in style
    assert not re.search(r"[;{](?:min-)?width:\d{3,}px", style)
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text


@pytest.mark.slow
def test_cases_of_a_forest_are_explained_over_the_ranges_of_the_table(tmp_path, capsys):
    model, table = save_forest(tmp_path)
    page = str(tmp_path / "f.html")
    assert main(["report", model, "--data", table, "-o", page, "--json"]) == 0
    states = {one["name"]: one["state"] for one in json.loads(capsys.readouterr().out)["sections"]}
    assert states["cases"] == states["explanations"] == "made"
    assert states["quality"] == "partly"
    text = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert re.search(r"Row \d+ \(line \d+\): \d, labelled \d", part(text, "cases"))


@pytest.mark.slow
def test_explain_reads_the_table_of_the_training_for_rows_and_groups(made, capsys, monkeypatch):
    rows = ["explain", "shop.json", "--rows", "3"]
    found = answer(made, capsys, monkeypatch, *rows)
    assert found == answer(made, capsys, monkeypatch, *rows, "--data", "shop.csv")
    groups = ["explain", "shop.json", "--protected", "sex"]
    code, own = answer(made, capsys, monkeypatch, *groups)
    assert (code, own["table"]["rows"]) == (0, 120)
