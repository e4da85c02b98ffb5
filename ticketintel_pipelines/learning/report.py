"""The report: one page that stands by itself, in the order in which a sceptic reads."""

from collections.abc import Sequence

from ticketintel_pipelines.learning.evaluated import Evaluation
from ticketintel_pipelines.learning.report_layout import Addition, page
from ticketintel_pipelines.learning.report_sections import sections
from ticketintel_pipelines.learning.report_words import interval, said, title, verdict

SUMMARISED = ("auc_roc", "auc_pr", "precision_at_90_recall", "f1", "false_positive_rate", "detection", "brier")


def render(evaluation: Evaluation, additions: Sequence[Addition] = ()) -> str:
    """The page as HTML; the same evaluation and additions give the same bytes."""
    model = evaluation.model
    parts = sections(evaluation, additions)
    return page(model.title, model.card.purpose, verdict(evaluation), parts, model.name, model.estimator.name)


def summary(evaluation: Evaluation) -> str:
    """The verdict's first sentence and the main figures as Markdown, for the metadata of a run."""
    lines = [verdict(evaluation)[0], "", "| figure | value | 95 % interval | target | ceiling |", "|---|---|---|---|---|"]
    for one in evaluation.figures:
        if one.name in SUMMARISED:
            cells = (said(one.name, one.measured.value), interval(one.name, one.measured), said(one.name, one.target))
            name = title(one, evaluation.model.operating_threshold)
            lines.append(f"| {name} | {' | '.join(cells)} | {said(one.name, one.ceiling)} |")
    return "\n".join(lines)
