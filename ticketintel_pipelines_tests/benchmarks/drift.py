"""The drift decision over many days of a made-up population: how often it is wrong, and how often it sees a small shift.

40 correlated features of five kinds and a score; days of 2,000 rows, each a fresh draw, against references of 20,000 rows, of
which there is a fresh one every so many days, so that no lucky reference decides the figures. On shifted days one feature, each
in turn, has its mean moved by 0.2 of its standard deviation: values that are not null are raised, a count gets Poisson events
more, some of a flag's zeros become ones. A shifted day counts as detected if that very feature is named. Beside the decision
stands what fixed thresholds would have said.
"""

import json
import time
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ticketintel_pipelines.learning.drift import LEVEL, Drift, Reference, build_reference, measure_drift

Values = NDArray[np.float64]

ROWS = 2_000
FEW_ROWS = 50
REFERENCE_ROWS = 20_000
NULL_DAYS = 1_000
SHIFTED_DAYS = 400
DAYS_OF_REFERENCE = 20
SHIFT_SIGMA = 0.2
KINDS = ("normal", "log-normal", "count", "flag", "normal, 30 % null")
FEATURES = 40
NAMES = tuple(f"{KINDS[place % len(KINDS)]} {place // len(KINDS)}" for place in range(FEATURES))
SEED = 20_240_101


@dataclass
class Population:
    """What the days are drawn from. `rates` are of counts and flags: events of 0.1 to 3, ones in 0.3 % to 40 % of rows."""

    loadings: Values
    rates: Values
    sigmas: Values = field(init=False)

    def __post_init__(self) -> None:
        many = self.draw(np.random.default_rng(SEED + 1), 200_000)[0]
        self.sigmas = np.nanstd(many, axis=0)

    def draw(self, rng: np.random.Generator, rows: int) -> tuple[Values, Values]:
        """(rows, FEATURES) features and a score of them."""
        common = rng.normal(size=(rows, len(self.loadings)))
        latent = common @ self.loadings + rng.normal(size=(rows, FEATURES)) * np.sqrt(1 - (self.loadings**2).sum(axis=0))
        features = latent.copy()
        for place in range(FEATURES):
            kind = KINDS[place % len(KINDS)]
            if kind == "log-normal":
                features[:, place] = np.exp(latent[:, place])
            elif kind == "count":
                features[:, place] = rng.poisson(self.rates[place] * np.exp(latent[:, place] / 2))
            elif kind == "flag":
                features[:, place] = latent[:, place] > self.rates[place]
            elif kind == "normal, 30 % null":
                features[rng.random(rows) < 0.3, place] = np.nan
        return features, 1 / (1 + np.exp(4 - common[:, 0] - rng.normal(size=rows)))

    def shift(self, rng: np.random.Generator, features: Values, place: int) -> None:
        """Move the mean of one feature by `SHIFT_SIGMA` of its standard deviations, in place."""
        step = SHIFT_SIGMA * self.sigmas[place]
        column = features[:, place]
        kind = KINDS[place % len(KINDS)]
        if kind == "count":
            column += rng.poisson(step, len(column))
        elif kind == "flag":
            zeros = 1 - np.mean(column)
            column[rng.random(len(column)) < step / zeros] = 1
        else:
            column += step


def build_population(rng: np.random.Generator) -> Population:
    loadings = rng.normal(size=(3, FEATURES))
    loadings *= np.sqrt(rng.uniform(0.2, 0.8, FEATURES) / (loadings**2).sum(axis=0))
    rates = np.full(FEATURES, np.nan)
    counts = [place for place in range(FEATURES) if KINDS[place % len(KINDS)] == "count"]
    flags = [place for place in range(FEATURES) if KINDS[place % len(KINDS)] == "flag"]
    rates[counts] = np.geomspace(0.1, 3, len(counts))
    # Thresholds of the latent value: ones in 0.3 % to 40 % of the rows.
    rates[flags] = np.linspace(2.75, 0.25, len(flags))
    return Population(loadings, rates)


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def main() -> None:
    started = time.perf_counter()
    rng = np.random.default_rng(SEED)
    population = build_population(rng)
    reference: Reference | None = None
    false_alarms: list[bool] = []
    kinds_of_alarm: defaultdict[str, int] = defaultdict(int)
    fixed: defaultdict[str, list[bool]] = defaultdict(list)
    seconds: list[float] = []

    def judge(features: Values, scores: Values, seed: int) -> Drift:
        assert reference is not None
        began = time.perf_counter()
        drift = measure_drift(reference, features, scores, seed=seed)
        seconds.append(time.perf_counter() - began)
        return drift

    for day in range(NULL_DAYS):
        if day % DAYS_OF_REFERENCE == 0:
            reference = build_reference(NAMES, *population.draw(rng, REFERENCE_ROWS))
        drift = judge(*population.draw(rng, ROWS), seed=day // DAYS_OF_REFERENCE)
        false_alarms.append(drift.drifted)
        for column in drift.columns:
            if column.drifted:
                kinds_of_alarm[f"{column.name}: {column.kind}"] += 1
        assert reference is not None
        few = measure_drift(reference, *population.draw(rng, FEW_ROWS))
        for rows, judged in ((ROWS, drift), (FEW_ROWS, few)):
            fixed[f"kl_any_{rows}"].append(any(column.kl_exceeded for column in judged.columns))
            fixed[f"kl_one_{rows}"] += [column.kl_exceeded for column in judged.columns]
            fixed[f"mean_any_{rows}"].append(any(column.mean_shift_exceeded for column in judged.columns))

    detected: defaultdict[str, list[bool]] = defaultdict(list)
    kl_detected: list[bool] = []
    others_named: list[bool] = []
    for day in range(SHIFTED_DAYS):
        if day % DAYS_OF_REFERENCE == 0:
            reference = build_reference(NAMES, *population.draw(rng, REFERENCE_ROWS))
        features, scores = population.draw(rng, ROWS)
        place = day % FEATURES
        population.shift(rng, features, place)
        drift = judge(features, scores, seed=day // DAYS_OF_REFERENCE)
        detected[KINDS[place % len(KINDS)]].append(drift.features[place].drifted)
        kl_detected.append(drift.features[place].kl_exceeded)
        others_named.append(bool(set(drift.drifted_names) - {NAMES[place]}))

    rate = share(false_alarms)
    found = share([day for days in detected.values() for day in days])
    print(f"{FEATURES} features and a score, days of {ROWS:,} rows, references of {REFERENCE_ROWS:,}, level {LEVEL:.1%}")
    print(f"{NULL_DAYS:,} days without a change: false alarm on {rate:.2%} of them {dict(kinds_of_alarm) or ''}")
    print(f"{SHIFTED_DAYS:,} days with a shift of {SHIFT_SIGMA} σ in one feature: named on {found:.1%} of them")
    for kind, days in detected.items():
        print(f"  {kind:<20}{share(days):>8.1%} of {len(days)}")
    print(f"  a feature named that was not shifted on {share(others_named):.1%}")
    print("Fixed thresholds on the days without a change")
    print(f"{'rows':>8}{'KL > 0.15, any column':>26}{'one column':>14}{'mean shift > 20 %, any':>26}")
    for rows in (ROWS, FEW_ROWS):
        kl_any, kl_one, mean_any = (share(fixed[f"{name}_{rows}"]) for name in ("kl_any", "kl_one", "mean_any"))
        print(f"{rows:>8,}{kl_any:>26.1%}{kl_one:>14.1%}{mean_any:>26.1%}")
    print("(two in five features have a mean near 0, of which any day's is far off in relation)")
    print(f"KL > 0.15 in the shifted feature on {share(kl_detected):.1%} of the shifted days")
    print(f"{np.median(seconds) * 1e3:.0f} ms a decision by median, {time.perf_counter() - started:.0f} s in all")
    figures = {
        "false_alarm_rate": rate,
        "detection_rate": round(found, 4),
        "detection_by_kind": {kind: round(share(days), 4) for kind, days in detected.items()},
        "kl_false_alarm_rate": share(fixed[f"kl_any_{ROWS}"]),
        "kl_false_alarm_rate_50_rows": share(fixed[f"kl_any_{FEW_ROWS}"]),
        "kl_detection_rate": round(share(kl_detected), 4),
        "null_days": NULL_DAYS,
        "shifted_days": SHIFTED_DAYS,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
