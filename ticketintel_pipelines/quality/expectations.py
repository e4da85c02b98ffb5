"""The declared rules as a Great Expectations suite, asked of the very rows that were judged.

Rules about one row become native expectations over its columns and are evaluated again by Great Expectations itself: a second
opinion on `predicates.py`. Rules about several rows (uniqueness, references, SQL) are judged once, in SQL; their outcome is a
boolean column, and the expectation is that it is true.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ticketintel_pipelines.contract import ColumnType, Follows, InRange, Matches, NotNull, OneOf, Rule, Table
from ticketintel_pipelines.lake.engine import identifier, stream
from ticketintel_pipelines.quality.validation import Judgement

# By default the library reports its use to its makers; a pipeline talks to nobody.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

SAMPLES = 5
AUDIT_ROWS = 250_000
"""Rows handed over at once: a frame of all rows of a month would not fit into memory."""
ASCII_CLASSES = {"d": "0-9", "s": r"\t\n\f\r ", "w": "0-9A-Za-z_"}
"""What the classes of regular expressions hold in RE2."""


@dataclass(frozen=True)
class Audit:
    """What Great Expectations says of one rule. `error` is set when it could not be evaluated, which counts as a failure."""

    rule: Rule
    expectation: str
    rows: int
    failing: int
    sample_keys: tuple[str, ...]
    error: str | None = None

    @property
    def percent(self) -> float:
        return 100.0 * self.failing / self.rows if self.rows else 0.0

    def plus(self, other: "Audit") -> "Audit":
        return replace(
            self,
            rows=self.rows + other.rows,
            failing=self.failing + other.failing,
            sample_keys=(*self.sample_keys, *other.sample_keys)[:SAMPLES],
            error=self.error or other.error,
        )


def outcome_column(rule: Rule) -> str:
    """Name of the column that says whether a row keeps a rule that needs other rows."""
    return f"rule:{rule.name}"


def is_native(rule: Rule) -> bool:
    """Whether Great Expectations can evaluate the rule from the row alone."""
    return isinstance(rule.check, NotNull | InRange | Matches | OneOf | Follows)


def expectation_of(rule: Rule) -> Any:
    """The rule as an expectation; its `meta` names rule, reason and severity."""
    import great_expectations.expectations as gxe

    meta = {"rule": rule.name, "reason": rule.reason, "severity": rule.severity.value}
    match rule.check:
        case NotNull(column=column):
            return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
        case InRange(column=column, minimum=minimum, maximum=maximum):
            return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=minimum, max_value=maximum, meta=meta)
        case Matches(column=column, pattern=pattern):
            # The end is the end of the text and not of its last line.
            regex = rf"^(?:{portable(pattern)})\Z"
            return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=regex, meta=meta)
        case OneOf(column=column, values=values):
            return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values), meta=meta)
        case Follows(later=later, earlier=earlier):
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=later,
                column_B=earlier,
                or_equal=True,
                ignore_row_if="either_value_is_missing",
                meta=meta,
            )
        case _:
            return gxe.ExpectColumnValuesToBeInSet(column=outcome_column(rule), value_set=[True], meta=meta)


def portable(pattern: str) -> str:
    """A pattern of RE2 that means the same to the engine of Python, either of which pandas may choose for a column.

    Classes such as `\\d` are spelt out, since Python's hold more than ASCII. Groups capture nothing, since pandas warns of
    captures that it does not use.
    """

    def translated(found: re.Match[str]) -> str:
        token = found[0]
        if token == "(":
            return "(?:"
        if token.startswith("["):
            return re.sub(r"\\.", lambda escape: ASCII_CLASSES.get(escape[0][1], escape[0]), token)
        if (letters := ASCII_CLASSES.get(token[1].lower())) is None:
            return token
        return f"[{letters}]" if token[1].islower() else f"[^{letters}]"

    return re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?!\?)", translated, pattern)


def audit(judgement: Judgement) -> list[Audit]:
    """Evaluate the suite of the judged table, every rule over every row."""
    asked = [rule for rule in judgement.table.rules if rule.name not in judgement.not_judged]
    batch_definition, suite = _suite(judgement.table, asked)
    audits: list[Audit] = []
    for frame in _frames(judgement, asked):
        found = _evaluate(batch_definition, suite, frame, asked)
        audits = [old.plus(new) for old, new in zip(audits, found, strict=True)] if audits else found
    return audits or [Audit(rule, "", 0, 0, ()) for rule in asked]


def _suite(table: Table, rules: Sequence[Rule]) -> tuple[Any, Any]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch_definition = (
        context.data_sources.add_pandas("judged").add_dataframe_asset(table.name).add_batch_definition_whole_dataframe("rows")
    )
    return batch_definition, gx.ExpectationSuite(name=table.name, expectations=[expectation_of(rule) for rule in rules])


def _frames(judgement: Judgement, rules: Sequence[Rule]) -> Any:
    """The judged rows as data frames: the columns that rules ask about, their keys, and outcomes of the other rules."""
    names = sorted({name for rule in rules if is_native(rule) for name in _columns(rule)})
    selected = [_handed_over(judgement.table, name) for name in names]
    selected += [
        f"broken & {judgement.bits[rule.name]} = 0 AS {identifier(outcome_column(rule))}"
        for rule in rules
        if not is_native(rule)
    ]
    query = f"SELECT {judgement.key} AS row_key, {', '.join(selected)} FROM judged"
    for batch in stream(judgement.connection, query, AUDIT_ROWS):
        if batch.num_rows:
            # Whole numbers beside absent ones would otherwise become floats, and lose digits.
            yield batch.to_pandas(integer_object_nulls=True)


def _handed_over(table: Table, name: str) -> str:
    """SQL of a column as a frame holds it: a bound such as 0.05 equals an amount as a float, but not as a decimal."""
    column = identifier(name)
    return f"CAST({column} AS DOUBLE) AS {column}" if table.column(name).type is ColumnType.MONEY else column


def _columns(rule: Rule) -> tuple[str, ...]:
    check = rule.check
    if isinstance(check, Follows):
        return (check.later, check.earlier)
    assert isinstance(check, NotNull | InRange | Matches | OneOf)
    return (check.column,)


def _evaluate(batch_definition: Any, suite: Any, frame: Any, rules: Sequence[Rule]) -> list[Audit]:
    batch = batch_definition.get_batch(batch_parameters={"dataframe": frame})
    outcome = batch.validate(suite, result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["row_key"]})
    by_rule = {result.expectation_config.meta["rule"]: result for result in outcome.results}
    return [_read(rule, by_rule[rule.name], len(frame)) for rule in rules]


def _read(rule: Rule, result: Any, rows: int) -> Audit:
    kind = result.expectation_config.type
    if result.exception_info and (message := _exception(result.exception_info)):
        return Audit(rule, kind, rows, rows, (), message)
    found = result.result
    samples = found.get("unexpected_index_list") or []
    return Audit(
        rule,
        kind,
        rows,
        int(found["unexpected_count"]),
        tuple(str(sample["row_key"]) for sample in samples[:SAMPLES]),
    )


def _exception(info: dict[str, Any]) -> str | None:
    """The message of an expectation that could not be evaluated; Great Expectations nests it by metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if entry.get("raised_exception"):
            return str(entry.get("exception_message"))
    return None
