"""The one room that adapts the others to Dagster: partitions, asset and check factories, metadata, storage.

An asset made here is thin: it asks Dagster which days are wanted, calls a function of `stages/`, and tells Dagster what came
out. What the function does belongs to the other rooms.
"""

import warnings

from dagster import BetaWarning

# Single-run backfills are what makes a month one run; that Dagster calls the parameter beta need not be said at each asset.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=BetaWarning)
