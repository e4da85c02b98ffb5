"""How many blocks are asked for at once follows what the node can give."""

from ticketintel_pipelines.chain.extraction.ranges import RangeSizer

QUICK, SLOW = 0.1, 20.0


def settle(sizer: RangeSizer, logs_of_block: float, most_blocks: int | None = None, answers: int = 60) -> list[int]:
    """The ranges asked for by a reader of a chain with so many logs a block, at a node that refuses longer ranges."""
    asked = []
    for _ in range(answers):
        blocks = sizer.blocks
        while most_blocks is not None and blocks > most_blocks:
            asked.append(blocks)
            blocks = sizer.refused(blocks)
        asked.append(blocks)
        sizer.answered(blocks, int(blocks * logs_of_block), QUICK)
    return asked


def test_a_quiet_chain_is_read_in_long_ranges() -> None:
    asked = settle(RangeSizer(longest=1000, first=10), logs_of_block=0)
    assert asked[:8] == [10, 20, 40, 80, 160, 320, 640, 1000]
    assert set(asked[8:]) == {1000}


def test_a_busy_chain_is_read_in_ranges_that_fit_an_answer() -> None:
    asked = settle(RangeSizer(largest_logs=1000), logs_of_block=50)
    assert max(asked) * 50 <= 1000
    assert asked[-1] * 50 >= 500
    assert settle(RangeSizer(largest_logs=1000), logs_of_block=5000)[-1] == 1


def test_a_limit_is_learnt_and_seldom_met_again() -> None:
    asked = settle(RangeSizer(), logs_of_block=0, most_blocks=64, answers=200)
    assert 0 < sum(blocks > 64 for blocks in asked) < 12
    assert sum(asked[-50:]) / 50 > 32


def test_a_suggestion_is_followed() -> None:
    sizer = RangeSizer(first=500)
    assert sizer.refused(500, most_blocks=123) == 123
    assert sizer.blocks == 123
    # One that does not help is not.
    assert sizer.refused(123, most_blocks=123) == 61


def test_slow_answers_make_ranges_shorter_down_to_a_block() -> None:
    sizer = RangeSizer(first=16)
    for _ in range(6):
        sizer.answered(sizer.blocks, 10, SLOW)
    assert sizer.blocks == 1


def test_the_remainder_of_a_range_says_nothing_about_the_next() -> None:
    sizer = RangeSizer(first=100)
    sizer.answered(3, 2, QUICK)
    assert sizer.blocks == 100
