"""Rules of bots that any access log can be held against: address, time, method, path, status, agent.

A subject is whoever the rows are counted for: an address of a web server's log, or a session.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.learning.behaviour.measures import counted, distinct, gap_variation, most_within, share
from ticketintel_pipelines.learning.behaviour.regularity import SECOND
from ticketintel_pipelines.learning.behaviour.rules import Measure, Reading, Rows, Rule
from ticketintel_pipelines.learning.columns import codes_of
from ticketintel_pipelines.learning.examples import Integers

AUTOMATED = re.compile(
    r"^$|^-$|bot\b|crawl|spider|scrap|curl|wget|python|httpx|aiohttp|go-http-client|okhttp|java/|libwww|headless|phantomjs|"
    r"selenium|puppeteer|playwright",
    re.IGNORECASE,
)
"""What programs call themselves when they do not pretend, and clients without a name."""
MINUTE_S = 60.0
FORM_S = 3.0
"""Nobody reads a form, fills it in and sends it within three seconds."""
WRITES = ("POST", "PUT", "PATCH")


def log_rows(at: Integers, method: pa.Array, path: pa.Array, status: Integers, agent: pa.Array) -> dict[str, np.ndarray]:
    """The columns that the rules read, of n requests: `at` in microseconds, `status` as of HTTP; the others are texts.

    An agent that is null is not known, and says nothing; one that the client left out ("" or "-") does.
    """
    agents = _encoded(agent)
    automated = np.array([AUTOMATED.search(name) is not None for name in agents.dictionary.to_pylist()] or [False])
    code = codes_of(agents)
    return {
        "at": at,
        "path": codes_of(_encoded(path)),
        "is_write": pc.is_in(method.cast(pa.string()), value_set=pa.array(WRITES)).to_numpy(zero_copy_only=False),
        "is_error": status >= 400,
        "agent": code,
        "is_automated": automated[code] & (code >= 0),
    }


def hasty_forms(seconds: float) -> Measure:
    """How many writes came so soon after the same subject had read the same path; the proof is each with its reading."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        read, write, gap = _readings(rows, subject)
        hasty = gap <= seconds * SECOND
        proof = np.zeros(len(subject), dtype=bool)
        proof[write[hasty]] = True
        proof[read[hasty]] = True
        return Reading(np.bincount(subject[write[hasty]], minlength=subjects).astype(np.float64), proof)

    return measure


def blind_writes() -> Measure:
    """How many writes went to a path that the subject had not read before; the proof is these."""

    def measure(rows: Rows, subject: Integers, subjects: int) -> Reading:
        proof = rows["is_write"].astype(bool).copy()
        _, write, _ = _readings(rows, subject)
        proof[write] = False
        return Reading(np.bincount(subject[proof], minlength=subjects).astype(np.float64), proof)

    return measure


def _readings(rows: Rows, subject: Integers) -> tuple[Integers, Integers, Integers]:
    """Of each write whose path its subject has read before: places of the last such reading and of itself, and the gap."""
    path = rows["path"]
    # Row by row in time; what is written and read at one instant counts as read first.
    order = np.lexsort((rows["is_write"], rows["at"], path, subject))
    who, where, write = subject[order], path[order], rows["is_write"][order].astype(bool)
    begins = np.r_[True, (who[1:] != who[:-1]) | (where[1:] != where[:-1])][: len(order)]
    start = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0)) if len(order) else order
    last = np.maximum.accumulate(np.where(write, -1, np.arange(len(order)))) if len(order) else order
    seen = write & (last >= start)
    found, reading = order[seen], order[last[seen]]
    return reading, found, rows["at"][found] - rows["at"][reading]


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    return column.cast(pa.string()).dictionary_encode()


ACCESS_RULES = (
    Rule(
        "many_requests_a_minute",
        "asks faster than a person clicks",
        most_within(MINUTE_S),
        20,
        "a request every three seconds for a whole minute; a person who looks around needs ten seconds and more for a page",
    ),
    Rule(
        "automated_agent",
        "calls itself a program, or nothing at all",
        counted("is_automated"),
        1,
        "one request is enough: browsers name themselves in each",
    ),
    Rule(
        "even_intervals",
        "asks at even intervals",
        gap_variation(),
        0.1,
        "independent arrivals vary by about their mean (coefficient 1); no person keeps within a tenth of it",
        at_most=True,
        least_rows=8,
    ),
    Rule(
        "hasty_form",
        "sends forms sooner than anybody fills them in",
        hasty_forms(FORM_S),
        1,
        "reading, filling in and sending a form takes longer than three seconds",
    ),
    Rule(
        "blind_forms",
        "sends forms that it has not looked at",
        blind_writes(),
        3,
        "a form kept open over midnight or sent again can explain one or two",
    ),
    Rule(
        "mostly_errors",
        "is turned away much of the time",
        share("is_error"),
        0.25,
        "a site answers a visitor without error nineteen times of twenty; a quarter of errors is knocking at doors",
        least_rows=10,
    ),
    Rule(
        "many_agents",
        "changes what it calls itself",
        distinct("agent"),
        3,
        "two may be a phone and a desktop behind one address",
    ),
)
