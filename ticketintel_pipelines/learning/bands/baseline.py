"""What bands must beat: a threshold for each stream that never moves."""

SIGMAS = 3.0
"""Its width."""
BASELINE = f"a fixed threshold for each stream: mean ± {SIGMAS:g} standard deviations of its earlier days"
