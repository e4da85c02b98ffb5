"""Made-up purchases with or without taste, for tests and the benchmark of the recommender."""

import numpy as np

from ticketintel_pipelines.learning.recommending.attributes import one_hot
from ticketintel_pipelines.learning.recommending.known import Known, Trial, make_trial


def taste_world(
    users: int, items: int, each: float, seed: int, *, taste: float = 2.0, groups: int = 10, newest: float = 0.0
) -> Trial:
    """Users who buy `each` items by mean in 30 days, by popularity and taste for groups of items, and then once more.

    A user's liking of their one group multiplies its odds by e to the power of `taste`. `newest` is the share of users who buy
    nothing before. Every item is a candidate.
    """
    rng = np.random.default_rng(seed)
    liked, group = rng.integers(0, groups, users), rng.integers(0, groups, items)
    popularity = np.exp(rng.normal(0, 1, items))
    counts = np.where(rng.random(users) < newest, 0, 1 + rng.poisson(each - 1, users))
    user = np.repeat(np.arange(users), counts + 1)
    item = np.zeros(len(user), np.int64)
    for one in range(groups):
        odds = popularity * np.exp(taste * (group == one))
        rows = liked[user] == one
        item[rows] = rng.choice(items, int(rows.sum()), p=odds / odds.sum())
    later = np.cumsum(counts + 1) - 1
    before = np.ones(len(user), dtype=bool)
    before[later] = False
    age = rng.uniform(0, 30, len(user))
    pairs, first = np.unique(user[before] * items + item[before], return_index=True)
    known = Known(
        users=users,
        items=items,
        user=pairs // items,
        item=pairs % items,
        age_days=age[before][first],
        candidates=np.arange(items),
        blocks={"group": one_hot([str(one) for one in group], [str(one) for one in range(groups)])},
    )
    return make_trial(known, user[later], item[later])
