"""Factors of users and items by alternating least squares (Hu, Koren and Volinsky, 2008), with the package `implicit`."""

import numpy as np

from ticketintel_pipelines.learning.recommending.known import Matrix, Sparse


def factorise(
    bought: Sparse, factors: int, regularization: float, confidence: float, rounds: int, seed: int
) -> tuple[Matrix, Matrix]:
    """Factors of the users (n, f) and of the items (m, f), equal byte for byte for equal purchases and seed.

    The rows of users and of items without a purchase are zero.
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    if not bought.nnz:
        return np.zeros((bought.shape[0], factors), np.float32), np.zeros((bought.shape[1], factors), np.float32)
    # The package solves small systems one by one: threads of the linear algebra below it only get in its way.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=confidence,
            iterations=rounds,
            num_threads=1,
            random_state=seed,
        )
        model.fit(bought, show_progress=False)
    users, items = model.user_factors.copy(), model.item_factors.copy()
    users[np.diff(bought.indptr) == 0] = 0
    items[np.asarray(bought.sum(axis=0)).ravel() == 0] = 0
    return users, items
