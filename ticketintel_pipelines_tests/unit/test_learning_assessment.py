"""What is said of a comparison is what its figures and its interval show, also where there is none."""

from pathlib import Path

import numpy as np
import pytest

from ticketintel_pipelines.learning.assessment import Assessment, Comparison, compare_means, compare_rankings
from ticketintel_pipelines.learning.assessment_file import load_assessment, save_assessment
from ticketintel_pipelines.learning.assessment_report import in_words
from ticketintel_pipelines.learning.examples import Integers
from ticketintel_pipelines.learning.report_layout import Grid, Section
from ticketintel_pipelines.stages.window_learning import judge


def compared(lead: float, groups: int = 30, higher_is_better: bool = True) -> Comparison:
    """Values of 300 rows, of which the model's are higher by about `lead`."""
    random = np.random.default_rng(1)
    other = random.normal(5, 1, 300)
    return compare_means(
        "value",
        "the usual",
        "300 rows",
        other + random.normal(lead, 0.5, 300),
        other,
        np.arange(300) % groups,
        higher_is_better=higher_is_better,
    )


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (compared(0.5), "It beats the baseline the usual: "),
        (compared(-0.5, higher_is_better=False), "It beats the baseline the usual: "),
        (compared(-0.5), "It is worse than the baseline the usual: "),
        (compared(0.0), "It does not beat the baseline the usual: "),
        (compared(0.5, groups=1), "It cannot be told from the baseline the usual: "),
    ],
)
def test_a_comparison_says_what_its_interval_shows(one: Comparison, says: str) -> None:
    assert in_words(one).startswith(says)
    assert ("does not exclude zero" in in_words(one)) == (one.apart.low <= 0 <= one.apart.high)


def test_only_what_is_worse_beyond_chance_is_not_promoted() -> None:
    for one, promoted in ((compared(0.5), True), (compared(0.0), True), (compared(0.5, 1), True), (compared(-0.5), False)):
        assert judge(Assessment("Tested.", (one,))).promoted is promoted
    assert judge(Assessment("There is no truth.")).promoted


def test_means_and_rankings_of_the_same_values_have_the_same_figures_and_nearly_the_same_interval() -> None:
    random = np.random.default_rng(3)
    other, groups = random.normal(5, 1, 400), np.arange(400) % 40
    model = other + random.normal(0.1, 0.5, 400)

    def statistic(rows: Integers) -> tuple[float, float]:
        return float(model[rows].mean()), float(other[rows].mean())

    means = compare_means("value", "the usual", "rows", model, other, groups)
    rankings = compare_rankings("value", "the usual", "rows", statistic, groups)
    assert rankings.apart.value == pytest.approx(means.apart.value)
    width = means.apart.high - means.apart.low
    assert rankings.apart.low == pytest.approx(means.apart.low, abs=0.1 * width)
    assert rankings.apart.high == pytest.approx(means.apart.high, abs=0.1 * width)


def test_an_assessment_is_read_as_it_was_saved(tmp_path: Path) -> None:
    one = compared(0.5)
    part = Section("Part", ("Words.",), (Grid(("a", "b"), (("1", "2"),), ("Note.",)),), (("<svg/>", "Picture."),))
    assessment = Assessment("Tested.", (one,), {"value": one.model}, (part,))
    save_assessment(tmp_path / "assessment.json", assessment)
    assert load_assessment(tmp_path / "assessment.json") == assessment
