"""Logs that are not what they claim: named and counted, never raised."""

import eth_abi
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketintel_pipelines.chain.decode import decode_logs
from ticketintel_pipelines.chain.events import (
    KNOWN_EVENTS,
    ORDER_FULFILLED,
    PUNK_ASSIGN,
    PUNK_BOUGHT,
    PUNK_TRANSFER,
    TICKET_SOLD,
    TRANSFER,
    TRANSFER_BATCH,
    TRANSFER_SINGLE,
)
from ticketintel_pipelines_tests.unit.chain_logs import Log, address_word, assert_accounted, table_of, word

ALICE, BOB, CAROL = (address_word("0x" + digit * 40) for digit in "abc")
DIRTY = "0x" + "01" + "00" * 11 + "aa" * 20
NOT_HEX = "0x" + "zz" * 32


def batch_data(tokens: list[int], quantities: list[int]) -> str:
    return "0x" + eth_abi.encode(["uint256[]", "uint256[]"], [tokens, quantities]).hex()


def order_data() -> str:
    types = ["bytes32", "address", "(uint8,address,uint256,uint256)[]", "(uint8,address,uint256,uint256,address)[]"]
    offer = [(2, "0x" + "11" * 20, 7, 1)]
    consideration = [(0, "0x" + "00" * 20, 0, 10**18, "0x" + "22" * 20)]
    return "0x" + eth_abi.encode(types, [b"\1" * 32, "0x" + "33" * 20, offer, consideration]).hex()


def with_word(data: str, place: int, new: str) -> str:
    start = 2 + 64 * place
    return data[:start] + new.removeprefix("0x") + data[start + 64 :]


GOOD = {
    "erc721": Log([TRANSFER.topic, ALICE, BOB, word(1)], "0x"),
    "erc20": Log([TRANSFER.topic, ALICE, BOB], word(1)),
    "erc1155": Log([TRANSFER_SINGLE.topic, ALICE, BOB, CAROL], word(1) + word(2)[2:]),
    "batch": Log([TRANSFER_BATCH.topic, ALICE, BOB, CAROL], batch_data([1, 2], [3, 4])),
    "order": Log([ORDER_FULFILLED.topic, ALICE, BOB], order_data()),
    "punk bought": Log([PUNK_BOUGHT.topic, word(1), ALICE, BOB], word(1)),
    "punk transfer": Log([PUNK_TRANSFER.topic, ALICE, BOB], word(1)),
    "punk assign": Log([PUNK_ASSIGN.topic, ALICE], word(1)),
    "ticket sold": Log([TICKET_SOLD.topic, ALICE, word(1), BOB], CAROL + word(5)[2:]),
}
BATCH, ORDER = GOOD["batch"], GOOD["order"]

BAD = {
    "erc721 with half a word of data": (Log(GOOD["erc721"].topics, "0x" + "00" * 16), "number of topics"),
    "erc721 dirty sender": (Log([TRANSFER.topic, DIRTY, BOB, word(1)], "0x"), "address `from`"),
    "erc721 topic is not hex": (Log([TRANSFER.topic, ALICE, BOB, NOT_HEX], "0x"), "topic `token_id`"),
    "erc721 surplus is not hex": (Log(GOOD["erc721"].topics, NOT_HEX), "hexadecimal"),
    "erc721 data without prefix": (Log(GOOD["erc721"].topics, "zz"), "hexadecimal"),
    "erc20 data is not hex": (Log(GOOD["erc20"].topics, NOT_HEX), "hexadecimal"),
    "erc20 odd digits": (Log(GOOD["erc20"].topics, "0x123"), "length of data"),
    "erc1155 truncated": (Log(GOOD["erc1155"].topics, word(1)), "length of data"),
    "erc1155 dirty operator": (Log([TRANSFER_SINGLE.topic, DIRTY, BOB, CAROL], GOOD["erc1155"].data), "`operator`"),
    "ticket sold dirty seller": (Log(GOOD["ticket sold"].topics, DIRTY + word(5)[2:]), "`seller`"),
    "batch truncated": (Log(BATCH.topics, BATCH.data[:-64]), "quantities"),
    "batch half a word": (Log(BATCH.topics, BATCH.data[:-2]), "whole words"),
    "batch without head": (Log(BATCH.topics, word(64)), "head"),
    "batch too few topics": (Log(BATCH.topics[:3], BATCH.data), "number of topics"),
    "batch offset unaligned": (Log(BATCH.topics, with_word(BATCH.data, 0, word(65))), "token ids"),
    "batch offset into head": (Log(BATCH.topics, with_word(BATCH.data, 0, word(32))), "token ids"),
    "batch offset enormous": (Log(BATCH.topics, with_word(BATCH.data, 0, word(2**255))), "token ids"),
    "batch length enormous": (Log(BATCH.topics, with_word(BATCH.data, 2, word(2**62))), "token ids"),
    "batch lengths differ": (Log(BATCH.topics, batch_data([1, 2], [3])), "differ in number"),
    "batch dirty receiver": (Log([TRANSFER_BATCH.topic, ALICE, BOB, DIRTY], BATCH.data), "address `to`"),
    "order truncated": (Log(ORDER.topics, ORDER.data[:-64]), "consideration"),
    "order without head": (Log(ORDER.topics, word(1)), "head"),
    "order not hex": (Log(ORDER.topics, with_word(ORDER.data, 5, NOT_HEX)), "hexadecimal"),
    "order dirty offerer": (Log([ORDER_FULFILLED.topic, DIRTY, BOB], ORDER.data), "offerer"),
    "order dirty zone": (Log([ORDER_FULFILLED.topic, ALICE, DIRTY], ORDER.data), "zone"),
    "order dirty recipient": (Log(ORDER.topics, with_word(ORDER.data, 1, DIRTY)), "recipient"),
    "order bad offset": (Log(ORDER.topics, with_word(ORDER.data, 2, word(2**64))), "the offer does not lie"),
    "order unknown item type": (Log(ORDER.topics, with_word(ORDER.data, 5, word(6))), "offer item"),
    "order dirty item type": (Log(ORDER.topics, with_word(ORDER.data, 5, word(2**255 + 2))), "offer item"),
    "order dirty token": (Log(ORDER.topics, with_word(ORDER.data, 6, DIRTY)), "offer item"),
    "order dirty item recipient": (Log(ORDER.topics, with_word(ORDER.data, 14, DIRTY)), "consideration item"),
}


def test_the_good_logs_decode() -> None:
    logs = table_of(list(GOOD.values()))
    result = decode_logs(logs)
    assert result.undecodable.to_pylist() == []
    assert result.decoded == len(GOOD)


@pytest.mark.parametrize(("log", "words"), BAD.values(), ids=BAD.keys())
def test_bad_log_is_named_and_spares_its_neighbours(log: Log, words: str) -> None:
    good = list(GOOD.values())
    logs = table_of([*good, log, *good])
    result = decode_logs(logs)
    assert result.undecodable["row"].to_pylist() == [len(good)]
    assert words in result.undecodable["reason"][0].as_py()
    assert result.decoded == 2 * len(good)
    alone = decode_logs(table_of([log]))
    assert (alone.decoded, alone.undecodable.num_rows) == (0, 1)


def test_a_missing_topic_between_others_is_undecodable() -> None:
    logs = table_of([GOOD["erc721"]])
    logs = logs.set_column(logs.column_names.index("topic2"), "topic2", pa.array([None], pa.string()))
    result = decode_logs(logs)
    assert result.undecodable["row"].to_pylist() == [0]


def test_rows_are_counted_over_the_whole_input() -> None:
    logs = table_of([GOOD["erc721"]] * 20_000 + [BAD["erc20 odd digits"][0]])
    assert decode_logs(logs).undecodable["row"].to_pylist() == [20_000]


def test_other_string_types_and_chunks_decode_alike() -> None:
    logs = table_of([*GOOD.values(), BAD["batch truncated"][0]])
    expected = decode_logs(logs)
    for string_type in (pa.large_string(), pa.string_view()):
        fields = [field.with_type(string_type) if field.type == pa.string() else field for field in logs.schema]
        other = logs.cast(pa.schema(fields))
        assert decode_logs(pa.concat_tables([other.slice(0, 4), other.slice(4)])) == expected


def test_carried_columns_follow_their_log() -> None:
    logs = table_of([GOOD["erc20"], GOOD["punk bought"], GOOD["batch"]])
    logs = logs.append_column("source_row", pa.array([10, 11, 12], pa.int64()))
    result = decode_logs(logs, carried=("source_row",))
    assert result.transfers["source_row"].to_pylist() == [10, 11, 12, 12]
    assert result.sales["source_row"].to_pylist() == [11]
    assert decode_logs(logs.slice(0, 0), carried=("source_row",)).sales.schema == result.sales.schema


def test_no_logs_give_empty_tables() -> None:
    result = decode_logs(table_of([]))
    assert (result.transfers.num_rows, result.sales.num_rows, result.decoded, result.unknown) == (0, 0, 0, 0)


words = st.one_of(
    st.sampled_from([ALICE, BOB, DIRTY, NOT_HEX, word(0), word(1), word(32), word(64), word(2**256 - 1), "0x", ""]),
    st.text(max_size=5),
)
topics = st.one_of(st.sampled_from([event.topic for event in KNOWN_EVENTS]), words)
random_logs = st.builds(
    lambda first, others, parts: Log([first, *others], "0x" + "".join(part.removeprefix("0x") for part in parts)),
    topics,
    st.lists(words, max_size=3),
    st.lists(words, max_size=6),
)


@st.composite
def corrupted_logs(draw: st.DrawFn) -> Log:
    """A good log with one place of its data overwritten, cut off or lengthened, or a topic taken away."""
    log = draw(st.sampled_from(list(GOOD.values())))
    cut = draw(st.integers(0, len(log.data)))
    data = log.data[:cut] + draw(st.sampled_from(["", "f", "00", "zz", "0" * 64])) + log.data[cut + 2 :]
    kept = draw(st.integers(1, len(log.topics)))
    return Log(log.topics[: draw(st.sampled_from([kept, len(log.topics)]))], data)


@given(st.lists(st.one_of(random_logs, corrupted_logs(), st.sampled_from(list(GOOD.values()))), max_size=12))
@settings(max_examples=200, deadline=None)
def test_every_log_is_accounted_for_once(made: list[Log]) -> None:
    logs = table_of(made)
    assert_accounted(decode_logs(logs), logs)
