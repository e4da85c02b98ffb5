"""The report page: it stands by itself, says what a sceptic asks first, and lets no text become markup."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from ticketintel_pipelines.learning.evaluation import evaluate
from ticketintel_pipelines.learning.report import render, summary
from ticketintel_pipelines_tests.unit.judged_world import judged, model

EVALUATION = evaluate(model(), judged(), resamples=100)
ADDITION = ("Resampling <study>", ("method", "AP"), (("none", 0.7123), ("SMOTE & co", 0.65)), "What it does.")
PAGE = render(EVALUATION, [ADDITION])


class Outline(HTMLParser):
    """Titles of sections, and every element and attribute there is."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.elements: set[str] = set()
        self.references: set[str] = set()
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.inside = tag == "h2"
        self.references |= {value or "" for name, value in attrs if name in ("src", "href", "xlink:href")}

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.titles.append(data)
            self.inside = False


def outline() -> Outline:
    found = Outline()
    found.feed(PAGE)
    return found


def text() -> str:
    return re.sub(r"\s+", " ", PAGE.replace("\u00a0", " "))


def test_sections_stand_in_the_order_a_sceptic_reads() -> None:
    assert outline().titles == [
        "Verdict",
        "Figures",
        "Against champion, baseline and candidates",
        "Costs and decisions",
        "Calibration",
        "Importances",
        "Slices",
        "Resampling <study>",
        "What was excluded",
        "Data and limits",
    ]


def test_the_page_says_how_much_is_undetectable_by_construction() -> None:
    found = EVALUATION.undetectable
    assert found is not None
    assert f"{found.share:.1%}".replace("%", " %") + f" of the positives ({found.hidden} of {found.positives})" in text()
    assert "undetectable by construction" in text()


def test_the_page_does_so_of_simulated_data_alone() -> None:
    table = judged()
    real = replace(table, examples=replace(table.examples, truth=None, hidden=None, kind=None))
    page = render(evaluate(model(), real, resamples=50))
    assert "undetectable" not in page
    assert "Ceiling" not in page


def test_targets_that_cannot_hold_together_are_named() -> None:
    assert "caps F1 at 0.574" in text()


def test_text_stays_text() -> None:
    assert not outline().elements & {"b", "in", "data", "study", "afterwards", "script"}
    for words in ("&lt;b&gt;price &amp; face&lt;/b&gt;", "Fraud &lt;in&gt; tickets", "SMOTE &amp; co", "&lt;afterwards&gt;"):
        assert words in PAGE


def test_the_page_needs_nothing_from_outside() -> None:
    assert "http" not in PAGE
    assert all(one.startswith("#") for one in outline().references)
    assert "svg" in outline().elements


def test_the_same_evaluation_gives_the_same_bytes() -> None:
    assert render(evaluate(model(), judged(), resamples=100), [ADDITION]) == PAGE


def test_what_was_left_out_is_said() -> None:
    assert "17 of 4,017 rows of the test days" in text()


def test_a_model_worse_than_its_baseline_is_called_so() -> None:
    table = judged()
    random = np.random.default_rng(1).random(len(table.scores))
    assert "The model is worse than the naive baseline" in render(
        evaluate(model(), replace(table, scores=random), resamples=100)
    )


def test_few_days_and_no_importances_still_make_a_page() -> None:
    table = judged(days=1)
    page = render(evaluate(model(), replace(table, importance=None, contenders={}), resamples=50))
    assert "There is no champion to compare with." in page
    assert "cannot say how much each feature contributed" in page
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)


def test_the_summary_is_a_table_in_markdown() -> None:
    lines = summary(EVALUATION).splitlines()
    assert lines[0].startswith("On 4,000 rows of 14 days")
    table = lines[2:]
    assert {line.count("|") for line in table} == {6}
    assert any(line.startswith("| AUC-PR (average precision) | 0.") for line in table)
