"""What the folds are measured against: the same features in pandas and in Postgres."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ticketintel_pipelines_tests.handbook import DELAY_DAYS, WINDOWS

SPANS = {"1h": "1h", "1d": "1D", "7d": "7D", "30d": "30D"}


def pandas_handbook(source: Path, target: Path) -> int:
    """The handbook's own way: customer by customer, terminal by terminal, pandas' time windows over each.

    A customer's row sees itself and what is strictly earlier. pandas shows a row those peers of its instant that stand before
    it, and only those; so the first of them speaks for all.
    """
    columns = ["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD"]
    frame = pd.read_parquet(source, columns=columns)
    frame["TX_DURING_WEEKEND"] = (frame.TX_DATETIME.dt.weekday >= 5).astype(int)
    frame["TX_DURING_NIGHT"] = (frame.TX_DATETIME.dt.hour <= 6).astype(int)
    frame = frame.groupby("CUSTOMER_ID", group_keys=False)[list(frame.columns)].apply(_customer)
    frame = frame.groupby("TERMINAL_ID", group_keys=False)[list(frame.columns)].apply(_terminal)
    frame = frame.sort_values("TRANSACTION_ID")
    frame.drop(columns=columns[1:]).to_parquet(target, index=False)
    return len(frame)


def _customer(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.sort_values("TX_DATETIME", kind="stable").set_index("TX_DATETIME", drop=False)
    later_peer = rows.index.duplicated()
    for days in WINDOWS:
        window = rows.TX_AMOUNT.rolling(f"{days}D", closed="neither", min_periods=0)
        count, total = window.count(), window.sum()
        if later_peer.any():
            count, total = count.mask(later_peer).ffill(), total.mask(later_peer).ffill()
        rows[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = count + 1
        rows[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = (total + rows.TX_AMOUNT) / (count + 1)
    return rows.set_index("TRANSACTION_ID", drop=False)


def _terminal(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.sort_values("TX_DATETIME", kind="stable").set_index("TX_DATETIME", drop=False)
    delay = rows.TX_FRAUD.rolling(f"{DELAY_DAYS}D")
    delay_frauds, delay_count = delay.sum(), delay.count()
    for days in WINDOWS:
        window = rows.TX_FRAUD.rolling(f"{DELAY_DAYS + days}D")
        count = window.count() - delay_count
        rows[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = count
        rows[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = ((window.sum() - delay_frauds) / count).fillna(0)
    return rows.set_index("TRANSACTION_ID", drop=False)


def pandas_handbook_vectorised(source: Path, target: Path) -> int:
    """The same with one grouped window over the whole frame for each figure, which pandas works out in its compiled part."""
    columns = ["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD"]
    frame = pd.read_parquet(source, columns=columns)
    frame["TX_DURING_WEEKEND"] = (frame.TX_DATETIME.dt.weekday >= 5).astype(int)
    frame["TX_DURING_NIGHT"] = (frame.TX_DATETIME.dt.hour <= 6).astype(int)
    for days in WINDOWS:
        count, total = _windows(frame, "CUSTOMER_ID", "TX_DATETIME", "TX_AMOUNT", f"{days}D")
        frame[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = count + 1
        frame[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = (total + frame.TX_AMOUNT) / (count + 1)
    delay_count, delay_frauds = _windows(frame, "TERMINAL_ID", "TX_DATETIME", "TX_FRAUD", f"{DELAY_DAYS}D")
    for days in WINDOWS:
        count, frauds = _windows(frame, "TERMINAL_ID", "TX_DATETIME", "TX_FRAUD", f"{DELAY_DAYS + days}D")
        frame[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = count - delay_count
        frame[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = ((frauds - delay_frauds) / (count - delay_count)).fillna(0)
    frame.drop(columns=columns[1:]).to_parquet(target, index=False)
    return len(frame)


def _windows(frame: pd.DataFrame, by: str, time: str, value: str, window: str) -> tuple[pd.Series, pd.Series]:
    """Number of strictly earlier rows of the same key in the window before each row, and the sum of their values."""
    keys = frame.groupby(by, observed=True)
    windows = keys.rolling(window, on=time, closed="neither", min_periods=0)[value]
    count, total = windows.count(), windows.sum()
    # Rows come back key by key, those of a key in their order; indexed by key and time, which says nothing about peers.
    places = np.argsort(keys.ngroup().to_numpy(), kind="stable")
    found = pd.DataFrame(index=frame.index)
    for name, column in (("count", count), ("total", total)):
        in_order = np.empty(len(frame))
        in_order[places] = column.to_numpy()
        found[name] = in_order
    found = _first_of_peers(frame, [by, time], found)
    return found["count"], found["total"]


def _first_of_peers(frame: pd.DataFrame, key: list[str], answers: pd.DataFrame) -> pd.DataFrame:
    """pandas shows a row the peers that stand before it: the answer of the first of them holds for all."""
    peers = frame.duplicated(key, keep=False)
    if peers.any():
        number = frame.loc[peers].groupby(key, observed=True, sort=False).ngroup()
        first = answers.loc[peers][~number.duplicated()]
        answers.loc[peers] = first.to_numpy(float)[number]
    return answers


def pandas_wallets(source: Path, target: Path) -> int:
    """Wallet by wallet as the handbook goes about windows; vectorised what pandas users vectorise."""
    return _wallets(source, target, _windows_wallet_by_wallet)


def pandas_wallets_vectorised(source: Path, target: Path) -> int:
    """Vectorised as far as pandas goes: grouped windows over the whole frame too."""
    return _wallets(source, target, _windows_at_once)


def _windows_wallet_by_wallet(frame: pd.DataFrame) -> pd.DataFrame:
    columns = ["seen", "price_cents"]
    return frame.groupby("wallet", observed=True, group_keys=False)[columns].apply(_wallet).sort_index()


def _wallet(rows: pd.DataFrame) -> pd.DataFrame:
    amounts = rows.set_index("seen").price_cents
    later_peer = amounts.index.duplicated()
    found: dict[str, np.ndarray] = {}
    for span, length in SPANS.items():
        window = amounts.rolling(length, closed="neither", min_periods=0)
        count, total = window.count(), window.sum()
        if later_peer.any():
            count, total = count.mask(later_peer).ffill(), total.mask(later_peer).ffill()
        found |= {f"count_{span}": count.to_numpy(), f"cents_{span}": total.to_numpy()}
    return pd.DataFrame(found, index=rows.index)


def _windows_at_once(frame: pd.DataFrame) -> pd.DataFrame:
    found: dict[str, pd.Series] = {}
    for span, length in SPANS.items():
        found[f"count_{span}"], found[f"cents_{span}"] = _windows(frame, "wallet", "seen", "price_cents", length)
    return pd.DataFrame(found)


def _wallets(source: Path, target: Path, windows: Callable[[pd.DataFrame], pd.DataFrame]) -> int:
    frame = pd.read_parquet(source)
    for name in ("wallet", "event"):
        frame[name] = frame[name].astype("category")
    found = windows(frame)
    found.insert(0, "transaction_id", frame.transaction_id)

    by_wallet = frame.groupby("wallet", observed=True)
    age = (frame.seen - by_wallet.seen.transform("min")).dt.total_seconds() / 86_400
    # At its first instant a wallet has no earlier transaction.
    found["wallet_age_days"] = age.where(age > 0)

    new = (~frame.duplicated(["wallet", "event"])).astype(int)
    distinct = new.groupby(frame.wallet, observed=True).cumsum() - new
    found["distinct_events"] = _first_of_peers(frame, ["wallet", "seen"], pd.DataFrame({"distinct": distinct})).distinct

    median = frame.groupby("event", observed=True).price_cents.expanding().median().droplevel(0).sort_index()
    median = median.groupby(frame.event, observed=True).shift()
    found["median_cents"] = _first_of_peers(frame, ["event", "seen"], pd.DataFrame({"cents": median})).cents
    found["price_deviation_ratio"] = frame.price_cents / found.median_cents

    moves = frame[["ticket", "seen"]].drop_duplicates()
    moves["got"] = moves.groupby("ticket").seen.shift()
    got = frame[["ticket", "seen"]].merge(moves, on=["ticket", "seen"], how="left").got
    found["hours_since_got"] = (frame.seen - got).dt.total_seconds() / 3600
    found.to_parquet(target, index=False)
    return len(found)
