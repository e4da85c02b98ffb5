"""The constants of the simulated world, named and with their units; nothing else in the package hides a number of it.

Shares are fractions of one. Rates "per record" multiply `daily_events`, the number of raw records a day.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Volume:
    """How many rows of each kind a day has, as shares of `daily_events`."""

    ticket_transactions: float = 0.085
    """Token moves: mints, resales, gifts and the moves of dishonest actors."""
    sessions: float = 0.12
    security_events: float = 0.035
    sign_ups: float = 0.02
    """New accounts a day once the opening rush is over."""
    opening_sign_ups: float = 0.10
    """Added to `sign_ups` on day one; halves every day."""
    least_api_requests: float = 0.05
    """API requests fill the day up to its total, but never fall below this share."""
    weekday: tuple[float, ...] = (0.975, 0.98, 0.99, 1.0, 1.03, 1.025, 1.0)
    """Size of a day from Monday to Sunday, relative to `daily_events`."""
    hour: tuple[float, ...] = (
        2.0, 1.4, 1.0, 0.9, 0.9, 1.2, 2.0, 3.2, 4.6, 5.6, 6.0, 6.2,
        6.2, 5.8, 5.6, 5.6, 5.9, 6.4, 6.9, 7.2, 6.8, 5.4, 4.0, 2.9,
    )  # fmt: skip
    """Relative traffic of the 24 hours of a day, UTC."""


@dataclass(frozen=True)
class Season:
    """Organisers and their events."""

    contracts_least: int = 8
    contracts_most: int = 100
    records_per_contract: int = 2_300
    """One more organiser, and so one more ticket contract, for every so many records a day."""
    events_per_day_exponent: float = 0.55
    """Events announced a day are 1 + (daily_events / 1000) ** exponent: larger markets have larger events, too."""
    stock_days: float = 7.0
    """Unsold places on offer or announced, in days of primary sales."""
    mean_capacity_factor: float = 1.25
    """Places announced for every ticket that is expected to be sold."""
    capacity_spread: float = 1.0
    """Sigma of the log-normal capacity."""
    capacity_most_days: float = 1.2
    """Largest capacity, in days of primary sales."""
    capacity_least: int = 10
    """Tickets."""
    evening_capacity: float = 0.6
    """Capacity of the events that fill an evening without any, relative to the mean."""
    evening_popularity: float = 2.0
    """Least popularity of such an event."""
    evening_hour: int = 19
    touring_share: float = 0.5
    """Events outside the organiser's home city."""
    organiser_spread: float = 0.8
    """Sigma of the log-normal share of the events that an organiser has."""
    popularity_spread: float = 1.1
    """Sigma of the log-normal popularity; the median event has popularity 1."""
    face_value_median: float = 55.0
    """USD."""
    face_value_spread: float = 0.6
    face_value_least: float = 8.0
    face_value_most: float = 600.0
    announced_days_most: int = 6
    """Days from the announcement to the sale: 1 to this many."""
    start_days_median: float = 7.0
    """Days from the sale to the event."""
    start_days_spread: float = 0.8
    start_days_most: int = 45
    short_notice_share: float = 0.2
    """Events that start one or two days after their sale opens."""
    opening_share: float = 0.45
    """Events of the opening season whose sale opens on day one."""
    on_sale_hours: tuple[int, ...] = (8, 9, 10, 10, 12, 16, 17)
    """UTC."""
    start_hours: tuple[int, ...] = (13, 17, 18, 18, 19, 19, 20)
    """UTC; the last leaves time for check-ins on the same day."""
    standing_share: float = 0.35
    wide_token_share: float = 0.75
    """Contracts whose token ids are (event number << 128) + serial; the others number tokens within 64 bits."""
    rush_weight: float = 6.0
    """How much more an event sells on the day its sale opens."""
    rush_share: float = 0.55
    """Orders of such a day that come in the rush."""
    rush_mean_s: float = 240.0
    """Mean delay of an order of the rush, seconds."""
    last_order_s: float = 1_800.0
    """Primary sales end so many seconds before doors open."""


@dataclass(frozen=True)
class Trade:
    """Orders, payments, resales, gifts, check-ins."""

    quantity_values: tuple[int, ...] = (1, 2, 3, 4)
    quantity_shares: tuple[float, ...] = (0.30, 0.45, 0.10, 0.15)
    tier_shares: tuple[float, ...] = (0.80, 0.15, 0.05)
    """Standard, premium, vip."""
    tier_factors: tuple[float, ...] = (1.0, 1.6, 3.0)
    fee_factor: float = 1.10
    """What the buyer pays over the face value in a primary sale."""
    cancelled_share: float = 0.03
    refunded_share: float = 0.15
    """Cancelled orders that were paid first."""
    failed_share: float = 0.04
    """Orders that no payment ever fulfils."""
    retried_share: float = 0.04
    """Paid orders whose first payment failed."""
    first_answer_s: tuple[float, float] = (4.0, 45.0)
    """From the order to the provider's first answer, seconds."""
    next_answer_s: tuple[float, float] = (8.0, 50.0)
    settle_s: tuple[float, float] = (1.0, 20.0)
    """From the captured payment to the transaction's hand-over to the chain, seconds."""
    platform_resale_share: float = 0.12
    seaport_share: float = 0.08
    gift_share: float = 0.06
    """Shares of the ticket transactions; primary sales are the rest."""
    secondary_ramp_days: int = 4
    """Resales and gifts reach their share after so many days: at first nobody owns a ticket."""
    hold_s: float = 1_800.0
    """A ticket stays at least so long with an owner, seconds."""
    last_trade_s: float = 3_600.0
    """Nothing is traded so shortly before doors open, seconds."""
    mark_up_base: float = -0.05
    mark_up_demand: float = 0.45
    """Log mark-up of a resale: base + demand × share sold × (popular or not) + noise."""
    mark_up_spread: float = 0.22
    scalper_mark_up: tuple[float, float] = (1.3, 2.8)
    price_most_usd: float = 15_000.0
    """Keeps a price in wei within 64 bits."""
    bulk_resale_weight: float = 2.5
    """Owners who bought three or more resell more readily: fans who buy four and resell one."""
    seaport_fee: float = 0.025
    collector_share: float = 0.35
    """Seaport buyers and gift recipients without an account."""
    attendance: float = 0.85
    speculator_attendance: float = 0.25
    admission_mean_s: float = 2_400.0
    admission_most_s: float = 9_000.0
    honest_chargebacks: float = 0.0015
    """Captured payments reversed though no crime is behind them."""
    chargeback_days: tuple[float, float] = (7.0, 60.0)
    eth_usd: float = 3_100.0
    eth_usd_hourly_spread: float = 0.004


@dataclass(frozen=True)
class Crowd:
    """Who signs up and how they visit."""

    visitor_share: float = 0.06
    """Accounts without a wallet, which only look."""
    family_share: float = 0.18
    """Accounts that share the address of the account before them."""
    office_share: float = 0.10
    office_size: int = 60
    """Accounts that share one office address."""
    traveller_share: float = 0.06
    away_share: float = 0.5
    """Visits of a traveller from another city."""
    new_device_share: float = 0.6
    """Of a traveller's visits from another city: the platform does not know the device."""
    at_work_share: float = 0.6
    """Visits of office workers in office hours that come from the office."""
    office_hours: tuple[int, int] = (8, 18)
    """UTC."""
    abroad_card_share: float = 0.04
    ipv6_share: float = 0.06
    verified_share: float = 0.72
    activity_spread: float = 0.9
    collectors_per_record: float = 0.0006
    """New wallets without an account, per record a day."""
    anonymous_share: float = 0.35
    """Visits without an order that are not signed in."""
    order_lead_median_s: float = 200.0
    """From the start of a visit to its order, seconds."""
    visit_median_s: float = 260.0
    visit_spread: float = 1.0
    order_lead_spread: float = 0.8
    """Sigmas of the two log-normal times above."""
    order_lead_most_s: float = 3_000.0
    bot_lead_factor: float = 0.05
    """A bot's lead relative to that of people."""
    page_view_s: float = 40.0
    """Mean time on a page, seconds."""
    bot_request_weight: float = 12.0
    """How many more API requests a bot's visit makes."""


@dataclass(frozen=True)
class Campaigns:
    """Dishonest actors: how much of the ticket transactions each makes up, and in what portions."""

    share: tuple[float, ...] = (0.0, 0.0040, 0.0025, 0.0030, 0.0015, 0.0010)
    """By label: honest, scalping, bot, wash_trade, stolen_card, account_takeover."""
    least: tuple[float, ...] = (0.0, 6.0, 3.0, 3.0, 2.0, 1.0)
    """Smallest campaign of each label, in transactions."""
    typical: tuple[float, ...] = (0.0, 27.0, 16.0, 12.0, 4.0, 1.4)
    full_start_transactions: float = 150.0
    """Worlds with as many transactions a day begin with one campaign of every kind on day one."""
    size_spread: float = 0.4
    """Sigma of the log-normal size of a campaign around the typical one."""
    scalper_reuse: float = 0.6
    bot_reuse: float = 0.5
    scalper_resale: float = 0.8
    bot_resale: float = 0.5
    thief_resale: float = 0.6
    scalper_delay_h: float = 9.0
    """Median hours until a scalper resells."""
    scalper_delay_spread: float = 0.9
    scalper_rush_mean_s: float = 90.0
    """Mean delay of a scalper's order after the sale opens, seconds."""
    tickets_per_scalper: float = 4.0
    scalpers_share_home: float = 0.5
    """Groups of scalpers who all sit behind one address."""
    opening_preference: float = 100.0
    """How much rather scalpers and bots go for a sale that opens today."""
    thief_opening_preference: float = 3.0
    thief_interval_s: tuple[float, float] = (60.0, 600.0)
    thief_delay_h: tuple[float, float] = (1.0, 20.0)
    """From the purchase with a stolen card to the resale, hours."""
    tier_shares: tuple[float, ...] = (0.50, 0.35, 0.15)
    """What dishonest buyers choose of standard, premium and vip."""
    order_most: int = 6
    bot_order_most: int = 2
    bot_start_s: tuple[float, float] = (0.5, 3.0)
    bot_delay_h: float = 27.0
    bot_interval_s: tuple[float, float] = (1.5, 4.0)
    bot_jitter_s: float = 0.03
    thief_attempts: tuple[int, int] = (1, 5)
    """Failed payments before a stolen card is accepted."""
    ring_price_spread: float = 0.03
    ring_hop_s: tuple[float, float] = (480.0, 4_500.0)
    ring_days_most: int = 3
    ring_gift_share: float = 0.06
    """Hops of a ring without a sale."""
    rings_share_home: float = 0.4
    ring_days_least_hops: float = 5.0
    """Larger rings run for more than one day."""
    second_token_from_hops: float = 9.0
    takeover_via_drop: float = 0.3
    """Taken tickets that first go to a wallet of the attacker."""
    takeover_failures: tuple[int, int] = (2, 6)
    """Failed sign-ins before a take-over."""
    takeover_step_s: float = 15.0
    takeover_discount: tuple[float, float] = (0.6, 0.9)
    takeover_lead_s: tuple[float, float] = (600.0, 2_400.0)
    fraud_chargeback: float = 0.9
    """Stolen payments that the payer's bank reverses."""


@dataclass(frozen=True)
class FraudDesk:
    """The platform's reviewers: which ticket transactions they look at, what they say of them, and how much later."""

    found: tuple[float, ...] = (0.0, 0.78, 0.82, 0.80, 0.30, 0.80)
    """By label: transactions that are reviewed. Stolen cards are mostly left to the chargeback."""
    honest_per_fraud: float = 1.0
    """Honest transactions that are reviewed, for every dishonest one."""
    suspicion_retried: float = 6.0
    suspicion_bulk: float = 4.0
    suspicion_mark_up: float = 4.0
    suspicion_rush: float = 2.0
    """Added to a weight of 1: how much rather an honest transaction is reviewed after a failed payment, in an order of
    `bulk_quantity` or more, resold at `marked_up` times its face value or more, bought within `rush_s` of the sale's opening.
    """
    bulk_quantity: int = 4
    marked_up: float = 1.3
    rush_s: float = 300.0
    wrong: float = 0.015
    """First verdicts that are wrong."""
    overturned_wrong: float = 0.4
    overturned_right: float = 0.004
    """Wrong and right first verdicts that a second review overturns; together about one verdict in a hundred."""
    kind_unnamed: float = 0.1
    """Verdicts of fraud that leave open which kind it is."""
    delay_days: float = 5.0
    """Median delay of a verdict, days; a second review follows the first by as long again."""
    delay_spread: float = 0.7
    """Sigma of the log-normal delay."""
    delay_most_days: float = 25.0
    reviewers: int = 8


@dataclass(frozen=True)
class Funding:
    """Where the wallets' ether comes from, and where the proceeds of sales go."""

    exchanges: int = 6
    services: int = 40
    """Small places that fund some wallets each."""
    service_share: float = 0.06
    private_share: float = 0.25
    """Wallets first funded from a wallet of which nothing else is seen. A third of the donors of a public round (Gitcoin GG22)
    had such a first funder; the rest, and what is left here, is an exchange's."""
    family_share: float = 0.4
    """Family members funded by the account next to theirs."""
    group_funder: float = 0.65
    """Groups under one hand whose wallets have one funder."""
    group_exit: float = 0.5
    """Groups whose sellers cash out to one wallet."""
    lead_h: float = 6.0
    """A wallet is funded at most so long before its account is opened, hours."""
    top_ups: float = 0.004
    """Later fundings, per record a day."""
    cash_out: float = 0.25
    """Sellers on the open market who send the day's proceeds on."""
    cash_out_h: tuple[float, float] = (0.2, 3.0)
    """After the last sale, hours."""
    cash_out_share: float = 0.95
    """Of the day's proceeds; the rest pays for later transactions."""
    deposit_share: float = 0.6
    """Cash-outs to an address that the exchange keeps for one customer."""
    ether_median: float = 0.15
    ether_spread: float = 0.9
    ether_most: float = 15.0


@dataclass(frozen=True)
class WatchLists:
    """Lists of addresses that others warn of, which the platform takes in."""

    names: tuple[str, ...] = ("phish-hack-list", "community-reports")
    found: tuple[float, ...] = (0.2, 0.1)
    """By list: wallets of dishonest actors that it will name."""
    mistaken: tuple[float, ...] = (0.0005, 0.002)
    """By list: honest wallets that it will name."""
    strangers: float = 0.002
    """Addresses that are never seen on the platform, per list and record a day: most of a real list."""
    delay_days: float = 4.0
    """Median delay from a wallet's first day until a list names it, days."""
    delay_spread: float = 0.8
    """Sigma of the log-normal delay."""
    delay_most_days: float = 60.0


@dataclass(frozen=True)
class Dirt:
    """Defects planted into the extract."""

    share: float = 0.001
    """Of `daily_events`."""
    full_kinds_from: int = 2_000
    """Records a day from which every kind occurs every day."""
    duplicate_weights: tuple[tuple[str, float], ...] = (
        ("logs", 0.20),
        ("sessions", 0.10),
        ("api_requests", 0.10),
        ("orders", 0.06),
        ("payments", 0.06),
        ("tickets", 0.06),
    )
    kind_weight: float = 0.06
    """Of each kind that is not a duplicate."""


@dataclass(frozen=True)
class Parameters:
    volume: Volume = Volume()
    season: Season = Season()
    trade: Trade = Trade()
    crowd: Crowd = Crowd()
    campaigns: Campaigns = Campaigns()
    desk: FraudDesk = FraudDesk()
    funding: Funding = Funding()
    watch_lists: WatchLists = WatchLists()
    dirt: Dirt = Dirt()
    least_daily_events: int = 100
    most_daily_events: int = 900_000
    """Ids number the rows of a table and day with six digits."""


PARAMETERS = Parameters()
