"""Addresses of clients: what is kept of them, the same however they are written, and that nothing else is."""

import ipaddress
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.errors import BadInputError
from ticketintel_pipelines.intake.clients import Clients
from ticketintel_pipelines.intake.hiding import hide_in_batch, hide_old_addresses, with_addresses
from ticketintel_pipelines.intake.keys import address_key
from ticketintel_pipelines.intake.places import open_places
from ticketintel_pipelines.lake.engine import open_engine
from ticketintel_pipelines.settings import read_settings
from ticketintel_pipelines.ticketing.tables.activity import SECURITY_EVENTS, SESSIONS
from ticketintel_pipelines_tests.geoip import ANY_AGE_DAYS, CITIES, LONDON, LONDON_IN_IPV6, NOWHERE
from ticketintel_pipelines_tests.unit.raw_files import FIRST_DAY, KEY, Deployment, session, write_rows

FORMATS = ("parquet", "csv", "jsonl")
KEEPS = ("ip_hash", "ip_block_hash", "country_code", "latitude", "longitude")


def kept(*texts: str, key: bytes = KEY) -> list[tuple[str, str | None]]:
    table = Clients(key).kept(pa.array(texts, pa.string()), placed=False)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_an_address_has_one_hash_and_another_under_another_key() -> None:
    (first, block), (other, other_block) = kept("192.0.2.1", "192.0.2.2")
    assert kept("192.0.2.1") == [(first, block)]
    assert first != other
    assert block == other_block
    assert {len(text) for text in (first, other, block)} == {32}
    assert not {first, block} & set(kept("192.0.2.1", key=b"another key")[0])


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("192.0.2.1", "::FFFF:c000:201"),
        ("2001:db8::1", "2001:0DB8:0000:0000:0000:0000:0000:0001"),
        ("2001:db8::1", "2001:db8:0:0::1"),
        ("::", "0:0:0:0:0:0:0:0"),
        ("2001:db8::102:304", "2001:db8::1.2.3.4"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(one: str, same: str) -> None:
    assert kept(one) == kept(same)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("192.0.2.0", "192.0.2.255", True),
        ("192.0.2.0", "192.0.3.0", False),
        ("2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1::", "2001:db8:2::", False),
        ("192.0.2.1", "::192.0.2.1", False),
    ],
)
def test_a_block_is_24_bits_of_ipv4_and_48_of_ipv6(one: str, other: str, together: bool) -> None:
    (hash_, block), (other_hash, other_block) = kept(one, other)
    assert hash_ != other_hash
    assert (block == other_block) is together


@pytest.mark.parametrize(
    "text",
    "unknown|10.0.0|10.0.0.256|010.0.0.1|10.0.0.1:443|[::1]|fe80::1%eth0|1::2::3| 10.0.0.1|٣.0.0.1|a\0|3232235521|"
    "20010db8000000000000000000000001|g::1|10.0.0.1/24".split("|"),
)
def test_a_text_that_is_no_address_leaves_a_mark_that_says_nothing_of_it(text: str) -> None:
    assert kept(text) == [("no address", None)]


@given(st.lists(st.ip_addresses(), unique=True, min_size=1, max_size=30))
def test_equal_hashes_are_equal_addresses(addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> None:
    plain = {getattr(address, "ipv4_mapped", None) or address for address in addresses}
    found = kept(*map(str, addresses))
    assert len({hash_ for hash_, _ in found}) == len(plain)
    networks = {ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False) for address in plain}
    assert len({block for _, block in found}) == len(networks)


def test_many_threads_get_the_same_answers() -> None:
    texts = [f"10.{number % 7}.{number // 250}.{number % 250}" for number in range(5_000)]
    clients, start = Clients(KEY), threading.Barrier(4)

    def ask(first: int) -> list[str]:
        start.wait()
        return clients.kept(pa.array(texts[first:] + texts[:first]), placed=False).column(0).to_pylist()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, (0, 1_000, 2_000, 3_000)))
    expected = [hash_ for hash_, _ in kept(*texts)]
    assert found == [expected[first:] + expected[:first] for first in (0, 1_000, 2_000, 3_000)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_landed_file_holds_hashes_and_no_address(tmp_path: Path, suffix: str) -> None:
    deployment = Deployment(tmp_path)
    cells = ["192.0.2.1", "2001:DB8::7", "::ffff:192.0.2.1", "localhost", None, "192.0.2.1"]
    write_rows(
        deployment.raw / f"sessions.{suffix}", [session(number, ip_address=cell) for number, cell in enumerate(cells, 1)]
    )
    report = deployment.take_in()
    assert report.warnings == []
    assert report.landed[0].ignored_columns == ()
    rows = deployment.rows("sessions")
    assert [row["source_row"] for row in rows] == [1, 2, 3, 4, 5, 6]
    expected = [*kept("192.0.2.1", "2001:db8::7", "192.0.2.1", "x"), (None, None), *kept("192.0.2.1")]
    assert [(row["ip_hash"], row["ip_block_hash"]) for row in rows] == expected
    assert "ip_address" not in rows[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(cells=st.lists(st.ip_addresses().map(str) | st.text("0123456789abcdef:. ", min_size=9, max_size=40), min_size=1))
def test_no_landed_byte_repeats_an_address(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    deployment = Deployment(tmp_path_factory.mktemp("landed"))
    rows = [session(number, ip_address=cell) for number, cell in enumerate(cells)]
    for path in (deployment.raw / "sessions.csv", deployment.raw / "sessions.parquet"):
        write_rows(path, rows)
    deployment.take_in()
    fragments = [path for path in deployment.files() if path.suffix == ".parquet"]
    assert len(fragments) == 2
    for fragment in fragments:
        table = pq.read_table(fragment)
        texts = [column.to_pylist() for column in table.columns if pa.types.is_string(column.type)]
        found = {text for column in texts for text in column if text} | {str(pq.read_metadata(fragment).to_dict())}
        assert not [cell for cell in cells if any(cell in text for text in found)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_addresses_hashed_before_pass_under_the_columns_own_name_alone(tmp_path: Path, suffix: str) -> None:
    deployment = Deployment(tmp_path)
    ((hash_, block),) = kept("192.0.2.1")
    own = {key: value for key, value in session().items() if key != "ip_address"}
    cells = [(hash_, block), (hash_.upper(), None), ("192.0.2.1", "192.0.2.1")]
    rows = [{**own, "session_id": f"s{n}", "ip_hash": a, "ip_block_hash": b} for n, (a, b) in enumerate(cells)]
    write_rows(deployment.raw / f"sessions.{suffix}", rows)
    # A hash under the name of an address is an IPv6 address without its colons, for all that one can tell.
    write_rows(deployment.raw / f"security_events.{suffix}", [event(ip_address=hash_), event(2, ip_address="192.0.2.1")])
    deployment.take_in()
    assert [(row["ip_hash"], row["ip_block_hash"]) for row in deployment.rows("sessions")] == [
        (hash_, block),
        (hash_, None),
        ("no address", "no address"),
    ]
    assert [row["ip_hash"] for row in deployment.rows("security_events")] == ["no address", hash_]


def event(number: int = 1, **changes: object) -> dict[str, object]:
    return {"security_event_id": f"x{number}", "occurred_at": "2026-01-01T00:00:00Z", "kind": "new_device", **changes}


def test_a_file_of_several_days_is_hidden_in_each(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    days = ["2026-01-02", "2026-01-01", "2026-01-02"]
    cells = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    rows = [
        session(n, started_at=f"{day}T01:00:00Z", ip_address=cell)
        for n, (day, cell) in enumerate(zip(days, cells, strict=True))
    ]
    write_rows(deployment.raw / "sessions.csv", rows)
    deployment.take_in()
    assert [row["ip_hash"] for row in deployment.rows("sessions")] == [hash_ for hash_, _ in kept(*cells)]


def test_a_column_that_cannot_hold_an_address_is_refused(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    write_rows(deployment.raw / "sessions.parquet", [session(ip_address=3_221_225_985)])
    with pytest.raises(BadInputError, match=r"ip_address is of type BIGINT, which cannot hold the text of an IP address"):
        deployment.take_in()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_place_is_looked_up_where_the_source_has_none_and_is_coarse_whoever_says_it(tmp_path: Path, suffix: str) -> None:
    cells = [
        {"ip_address": LONDON, "country_code": "", "latitude": "", "longitude": ""},
        {"ip_address": LONDON_IN_IPV6, "country_code": "CH", "latitude": "47.3769", "longitude": "8.5417"},
        {"ip_address": LONDON, "country_code": "", "latitude": "47.3769", "longitude": ""},
        {"ip_address": NOWHERE, "country_code": "", "latitude": "", "longitude": ""},
    ]
    with open_places(CITIES, ANY_AGE_DAYS) as places:
        deployment = Deployment(tmp_path, clients=Clients(KEY, places))
        write_rows(deployment.raw / f"sessions.{suffix}", [session(n, **cell) for n, cell in enumerate(cells)])
        assert deployment.take_in().warnings == []
    found = [tuple(row[name] for name in KEEPS[2:]) for row in deployment.rows("sessions")]
    assert found == [("GB", 51.5, -0.1), ("CH", 47.4, 8.5), ("GB", 47.4, None), (None, None, None)]


def test_a_file_without_any_place_gets_them_from_its_addresses(tmp_path: Path) -> None:
    own = {key: value for key, value in session(ip_address=LONDON).items() if key != "latitude"}
    with open_places(CITIES, ANY_AGE_DAYS) as places:
        deployment = Deployment(tmp_path, clients=Clients(KEY, places))
        write_rows(deployment.raw / "sessions.csv", [own])
        deployment.take_in()
    (row,) = deployment.rows("sessions")
    assert [row[name] for name in KEEPS[2:]] == ["GB", 51.5, -0.1]


def test_a_database_that_does_not_serve_is_a_warning_of_the_import(tmp_path: Path) -> None:
    with open_places(tmp_path / "none.mmdb", ANY_AGE_DAYS) as places:
        deployment = Deployment(tmp_path, clients=Clients(KEY, places))
        write_rows(deployment.raw / "sessions.csv", [session(ip_address=LONDON)])
        (warning,) = deployment.take_in().warnings
    assert "none.mmdb cannot be read" in warning
    assert [row["country_code"] for row in deployment.rows("sessions")] == [None]


def test_a_batch_of_a_database_is_hidden_as_a_file_is() -> None:
    texts = {
        "session_id": ["a", "b", "c", "d", "e"],
        "ip_hash": [LONDON, "", None, "localhost", LONDON],
        "ip_block_hash": [LONDON, "", None, "localhost", LONDON],
        "latitude": [None, None, None, None, "47.3769"],
    }
    batch = pa.record_batch({name: pa.array(cells, pa.string()) for name, cells in texts.items()})
    with open_places(CITIES, ANY_AGE_DAYS) as places:
        hidden = hide_in_batch(batch, SESSIONS, ["ip_hash", "ip_block_hash"], Clients(KEY, places))
        empty = hide_in_batch(batch.slice(0, 0), SESSIONS, ["ip_hash", "ip_block_hash"], Clients(KEY, places))
    ((hash_, block),) = kept(LONDON)
    assert hidden.schema == empty.schema
    assert hidden.column("ip_hash").to_pylist() == [hash_, None, None, "no address", hash_]
    assert hidden.column("ip_block_hash").to_pylist() == [block, None, None, None, block]
    assert hidden.column("country_code").to_pylist() == ["GB", None, None, None, "GB"]
    assert hidden.column("latitude").to_pylist() == ["51.5", None, None, None, "47.3769"]
    assert hidden.column("longitude").to_pylist() == ["-0.1", None, None, None, None]


def test_a_fragment_of_an_older_lake_is_rewritten_without_its_addresses(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    old = deployment.lake.partition("raw", "security_events", FIRST_DAY) / "old.parquet"
    old.parent.mkdir(parents=True)
    rows = [{**event(n, ip_address=cell), "source_file": "x.csv", "source_row": n} for n, cell in ((1, LONDON), (2, "nobody"))]
    pq.write_table(pa.Table.from_pylist(rows), old)
    assert with_addresses(SECURITY_EVENTS, [old]) == [old]
    with open_engine(deployment.lake.scratch) as engine:
        hide_old_addresses(engine, SECURITY_EVENTS, [old], deployment.lake, Clients(KEY))
    assert with_addresses(SECURITY_EVENTS, [old]) == []
    found = pq.read_table(old).to_pylist()
    assert [(row["ip_hash"], row["ip_block_hash"], row["source_row"]) for row in found] == [
        (*kept(LONDON)[0], 1),
        ("no address", None, 2),
    ]
    assert LONDON.encode() not in old.read_bytes()
    assert [row["kind"] for row in found] == ["new_device", "new_device"]


def test_a_home_makes_its_key_once_and_for_its_owner_only(tmp_path: Path) -> None:
    settings_ = read_settings({"TICKETINTEL_HOME": str(tmp_path / "home")})
    start = threading.Barrier(6)

    def first_use(_: int) -> bytes:
        start.wait()
        return address_key(settings_)

    with ThreadPoolExecutor(6) as pool:
        keys = set(pool.map(first_use, range(6)))
    assert keys == {address_key(settings_)}
    file = settings_.address_key_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    other = read_settings({"TICKETINTEL_HOME": str(tmp_path / "other")})
    assert address_key(other) not in keys
    shared = read_settings({"TICKETINTEL_HOME": str(other.home), "TICKETINTEL_ADDRESS_KEY": file.read_text().strip()})
    assert address_key(shared) in keys


def test_a_key_that_is_set_is_shown_nowhere_and_makes_no_file(tmp_path: Path) -> None:
    secret = "correct horse battery staple"
    settings_ = read_settings({"TICKETINTEL_HOME": str(tmp_path), "TICKETINTEL_ADDRESS_KEY": secret})
    assert len(address_key(settings_)) == 32
    assert secret not in repr(settings_)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BadInputError, match="shorter than 16 characters") as refused:
        read_settings({"TICKETINTEL_ADDRESS_KEY": "battery"})
    assert "battery" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64])
def test_a_damaged_key_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "address.key").write_bytes(content)
    with pytest.raises(BadInputError, match="TICKETINTEL_ADDRESS_KEY"):
        address_key(read_settings({"TICKETINTEL_HOME": str(tmp_path)}))
    assert (tmp_path / "address.key").read_bytes() == content
