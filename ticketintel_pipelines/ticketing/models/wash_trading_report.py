"""What the report says of wash trading: each definition's prevalence beside the others, and how far they overlap."""

import numpy as np

from ticketintel_pipelines.learning.examples import Flags
from ticketintel_pipelines.learning.report_layout import Grid, Section
from ticketintel_pipelines.learning.report_words import count
from ticketintel_pipelines.learning.rings.flags import Definition
from ticketintel_pipelines.learning.rings.paths import Transfers
from ticketintel_pipelines.learning.rings.verdict import Judged
from ticketintel_pipelines.ticketing.models.wash_trading_market import Known

MONEY = (Definition.COMMON_FUNDER, Definition.COMMON_EXIT)
NOT_KNOWN = "not known"
MEANING = {
    Definition.SELF_TRADE: "a wallet sells to itself",
    Definition.RETURN_TRIP: "a token goes to another wallet and back (A→B→A)",
    Definition.CLOSED_CYCLE: "a token comes back after three hops or more",
    Definition.THREE_BUYS: "a wallet buys a token three times",
    Definition.THREE_SELLS: "a wallet sells a token three times",
    Definition.REPEATED_ROUTE: "a token goes from one wallet to another twice, and soon",
    Definition.STRONG_COMPONENT: "wallets among which a token can go round",
    Definition.ZERO_RISK: "a token comes back, and nobody on its way won or lost",
    Definition.VOLUME_MATCH: "two wallets sell to each other as much as they buy",
    Definition.COMMON_FUNDER: "buyer and seller were first funded by one wallet, or one by the other",
    Definition.COMMON_EXIT: "buyer and seller cash out to one wallet, or the seller pays the buyer",
    Definition.COMBINED: "the verdict: enough of these hold of the same transactions",
}


def named_rows(judged: Judged) -> dict[Definition, Flags]:
    """For each definition, which of the transfers (n,) its flags name."""
    owner = judged.flags.owner
    found = {}
    for definition in Definition:
        marks = np.zeros(len(judged.transfers), dtype=np.bool_)
        marks[judged.flags.proof[(judged.flags.definition == definition)[owner]]] = True
        found[definition] = marks
    return found


def prevalence_section(judged: Judged, named: dict[Definition, Flags], inside: Flags, window_days: int, money: bool) -> Section:
    """Of the rows `inside` (n,): how many transactions, wallets, tokens and how much volume each definition names."""
    transfers = judged.transfers
    sales = transfers.sale & inside
    volume = float(transfers.price[sales].sum())
    rows = []
    for definition in Definition:
        if definition in MONEY and not money:
            rows.append((_name(definition), MEANING[definition], *(NOT_KNOWN,) * 6))
            continue
        chosen = named[definition] & inside
        sold = chosen & sales
        wallets = np.unique(np.concatenate([transfers.giver[chosen], transfers.taker[chosen]]))
        rows.append(
            (
                _name(definition),
                MEANING[definition],
                count(int((judged.flags.definition == definition).sum())),
                count(int(chosen.sum())),
                f"{sold.sum() / max(int(sales.sum()), 1):.2%}",
                f"{transfers.price[sold].sum() / volume if volume else 0.0:.2%}",
                count(int((wallets >= 0).sum())),
                count(len(np.unique(transfers.token[chosen]))),
            )
        )
    words = (
        f"Of {count(int(sales.sum()))} sales between wallets for {volume:,.1f} ETH. How much of a market is wash trading "
        f"depends on what is called so; every definition is given, within {window_days} days each. What is proved is "
        "that the transactions are of that kind, not why.",
    )
    header = ("Definition", "Meaning", "Flags", "Transactions", "Share of sales", "Share of volume", "Wallets", "Tokens")
    return Section("Prevalence by definition", words, (Grid(header, rows),))


def overlap_section(named: dict[Definition, Flags], inside: Flags) -> Section:
    """Of the transactions that one definition names, the share that another names, too."""
    present = [definition for definition in Definition if (named[definition] & inside).any()]
    rows = []
    for one in present:
        chosen = named[one] & inside
        shares = (f"{(named[other] & chosen).sum() / chosen.sum():.0%}" for other in present)
        rows.append((_name(one), count(int(chosen.sum())), *shares))
    header = ("Of those named by", "Transactions", *(_name(one) for one in present))
    words = ("Read along the row: of its transactions, how many each other definition names, too.",)
    return Section("Overlap of the definitions", words, (Grid(header, rows),) if rows else ())


def truth_section(named: dict[Definition, Flags], truth: Flags, inside: Flags) -> Section:
    """Precision and recall of each definition on the judged rows, in a simulated world."""
    rows = []
    for definition in Definition:
        chosen = named[definition] & inside
        hits = int((chosen & truth).sum())
        rows.append(
            (
                _name(definition),
                count(int(chosen.sum())),
                f"{hits / chosen.sum():.3f}" if chosen.any() else "",
                f"{hits / max(int((truth & inside).sum()), 1):.3f}",
            )
        )
    component = named[Definition.STRONG_COMPONENT] & inside
    honest = int((component & ~truth).sum())
    words = (
        f"The simulated world made {count(int((truth & inside).sum()))} wash trades on the days judged. A ring that never "
        "closes a way, and whose wallets share no funder and no exit, leaves nothing by which to know it.",
        f"Of the {count(int(component.sum()))} transactions of strong components {count(honest)} are honest ones: so often "
        "does a token come back to an honest owner here. Where hardly any does, every definition is precise, and "
        "precision says little about a market in which people sell back, return and deal.",
    )
    return Section("Against the truth", words, (Grid(("Definition", "Transactions", "Precision", "Recall"), rows),))


def settings_section(known: Known, money: bool) -> Section:
    """What the definitions took as a ring, and how they were combined."""
    settings = known.settings
    weights = [(_name(one), kind, f"{weight:.2f}") for one, (kind, weight) in settings.weights.items()]
    hubs = (
        f"A wallet that was the first to fund more than {settings.hub} wallets, or is paid by more, is a hub such as an "
        f"exchange, and links nobody; {count(len(known.hubs))} were known as hubs. The number is where the data show a gap."
        if money
        else "There are no movements of value: common funders and exits are not known, and speak neither for nor against."
    )
    words = (
        f"Of the evidence of one kind the strongest counts, and what is left of doubt is multiplied; from "
        f"{settings.threshold:.2f} on it is a wash trade. The weights were set, not learned.",
        hubs,
        f"{count(len(known.custodians))} addresses keep tokens for others, such as a marketplace's contract: what passes "
        "through them counts as passed from owner to owner. What is minted, burned or sold by an issuer is nobody's trade.",
    )
    return Section("How the verdict is made", words, (Grid(("Definition", "Kind of evidence", "Weight"), weights),))


def _name(definition: Definition) -> str:
    return definition.name.lower().replace("_", " ")


def places_between(transfers: Transfers, first: int, last: int) -> Flags:
    """Rows between two wallets in microseconds from `first` up to, and without, `last`; (n,)."""
    at = transfers.at
    inside: Flags = (at >= first) & (at < last) & (transfers.giver >= 0) & (transfers.taker >= 0)
    return inside
