"""The market as the search for rings takes it: tokens and wallets by number, and their names to write flags with."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ticketintel_pipelines.learning.examples import DAY, Flags, Integers
from ticketintel_pipelines.learning.rings.flags import Definition
from ticketintel_pipelines.learning.rings.funding import Money, first_funders, funded_wallets, hub_size
from ticketintel_pipelines.learning.rings.paths import CUSTODY, NOBODY, Transfers, custodians
from ticketintel_pipelines.learning.rings.search import Funding, find_rings
from ticketintel_pipelines.learning.rings.settings import Settings
from ticketintel_pipelines.learning.rings.verdict import Judged
from ticketintel_pipelines.learning.window import Window
from ticketintel_pipelines.ticketing.models.queries import QUERIES


@dataclass(frozen=True)
class Known:
    """What a version has learned: the numbers of the definitions, and the addresses that it knows as hubs and custodians."""

    settings: Settings
    hubs: tuple[str, ...] = ()
    custodians: tuple[str, ...] = ()


@dataclass(frozen=True)
class Market:
    """Transfers with the rows that they are of `table` (n,), and movements of value with theirs of `values`.

    `wallets` are the addresses by number. `money` is None where nothing is known of value.
    """

    table: pa.Table
    values: pa.Table
    transfers: Transfers
    money: Money | None
    wallets: pa.Array

    @classmethod
    def of(cls, window: Window) -> "Market":
        """The market of the days that a window reaches, and all movements of value until its last day."""
        table = window.rows(QUERIES / "wash_trading_transfers.sql").combine_chunks()
        values = window.rows(QUERIES / "wash_trading_value.sql").combine_chunks()
        names = [table["giver"], table["taker"], values["payer"], values["payee"]]
        wallets = pc.unique(pa.chunked_array([chunk for column in names for chunk in column.chunks], pa.string())).drop_null()
        number = {
            name: _numbers(column, wallets) for name, column in zip(("giver", "taker", "payer", "payee"), names, strict=True)
        }
        transfers = Transfers(
            _numbers(table["token"], pc.unique(table["token"])),
            number["giver"],
            number["taker"],
            table["at"].to_numpy().astype(np.int64),
            table["price"].to_numpy().astype(np.float64),
        )
        money = Money(number["payer"], number["payee"], values["at"].to_numpy().astype(np.int64))
        return cls(table, values, transfers, money if len(money) else None, wallets)

    def known(self, settings: Settings, before: int) -> Known:
        """What the data tell of hubs and custodians before an instant."""
        until = int(np.searchsorted(self.transfers.at, before))
        keepers = custodians(self.transfers.take(np.arange(until)), settings.custody)
        hubs = np.zeros(0, dtype=np.int64)
        if self.money is not None:
            earlier = int(np.searchsorted(self.money.at, before))
            part = Money(self.money.giver[:earlier], self.money.taker[:earlier], self.money.at[:earlier])
            funded = funded_wallets(first_funders(part, len(self.wallets)))
            settings = replace(settings, hub=hub_size(funded[funded > 0]))
            hubs = np.flatnonzero(funded > settings.hub)
        return Known(settings, self._addresses(hubs), self._addresses(keepers))

    def judge(self, known: Known) -> Judged:
        """All flags of the market."""
        keeper = self._marks(known.custodians)
        transfers = replace(
            self.transfers,
            giver=_custody(self.transfers.giver, keeper),
            taker=_custody(self.transfers.taker, keeper),
        )
        funding = None if self.money is None else Funding(self.money, self._marks(known.hubs))
        return find_rings(transfers, known.settings, funding)

    def rows(self, judged: Judged, first_day: int, last_day: int) -> pa.Table:
        """The flags of some days (since 1970), as `WASH_TRADES` has them."""
        day = judged.flags.at // DAY
        chosen = np.flatnonzero((day >= first_day) & (day <= last_day))
        flags = judged.flags.take(chosen)
        ids, values = self.table["transaction_id"].to_pylist(), self.values["value_transfer_id"].to_pylist()
        rows = [self._row(judged.transfers, ids, values, flags.proves(place), flags.pays(place)) for place in range(len(flags))]
        named = [Definition(one).name.lower() for one in flags.definition.tolist()]
        for row, definition, at in zip(rows, named, flags.at.tolist(), strict=True):
            said = f"{definition}|{at}|{row['transaction_ids']}|{row['value_transfer_ids']}"
            row["flag_id"] = hashlib.sha256(said.encode()).hexdigest()[:32]
        columns = {name: [row[name] for row in rows] for name in _COLUMNS}
        table = pa.table(
            {
                "flag_id": pa.array(columns["flag_id"], pa.string()),
                "occurred_at": pa.array(flags.at, pa.timestamp("us", tz="UTC")),
                "definition": pa.array(named, pa.string()),
                **{name: pa.array(columns[name], pa.string()) for name in _COLUMNS[1:8]},
                "hops": pa.array(columns["hops"], pa.int64()),
                "volume_eth": pa.array(columns["volume_eth"], pa.float64()),
                "score": pa.array(judged.score[chosen]),
                "is_wash": pa.array(judged.is_wash[chosen]),
            }
        )
        return table.sort_by([("occurred_at", "ascending"), ("definition", "ascending"), ("flag_id", "ascending")])

    def _row(
        self, transfers: Transfers, ids: list[str], values: list[str], proof: Integers, paid: Integers
    ) -> dict[str, object]:
        ends = np.column_stack([transfers.giver[proof], transfers.taker[proof]]).reshape(-1)
        wallets = list(dict.fromkeys(self.wallets[int(one)].as_py() for one in ends if one >= 0))
        one_token = len(np.unique(transfers.token[proof])) == 1
        named = [ids[row] for row in proof]
        return {
            "contract_address": self.table["contract_address"][int(proof[0])].as_py() if one_token else None,
            "token_id": self.table["token_id"][int(proof[0])].as_py() if one_token else None,
            "wallets": json.dumps(wallets),
            "transaction_ids": json.dumps(named),
            "value_transfer_ids": json.dumps([values[row] for row in paid]) if len(paid) else None,
            "first_transaction_id": named[0],
            "last_transaction_id": named[-1],
            "hops": len(proof),
            "volume_eth": float(transfers.price[proof].sum()),
        }

    def _addresses(self, wallets: Integers) -> tuple[str, ...]:
        return tuple(sorted(self.wallets.take(pa.array(wallets)).to_pylist()))

    def _marks(self, addresses: Collection[str]) -> Flags:
        marks: Flags = pc.is_in(self.wallets, value_set=pa.array(list(addresses), pa.string())).to_numpy(zero_copy_only=False)
        return marks


_COLUMNS = (
    "flag_id",
    "contract_address",
    "token_id",
    "wallets",
    "transaction_ids",
    "value_transfer_ids",
    "first_transaction_id",
    "last_transaction_id",
    "hops",
    "volume_eth",
)


def _numbers(column: pa.ChunkedArray, names: pa.Array) -> Integers:
    found: Integers = pc.fill_null(pc.index_in(column, value_set=names), NOBODY).to_numpy().astype(np.int64)
    return found


def _custody(wallet: Integers, keeper: Flags) -> Integers:
    kept = np.zeros(len(wallet), dtype=np.bool_)
    kept[wallet >= 0] = keeper[wallet[wallet >= 0]]
    return np.where(kept, CUSTODY, wallet)
