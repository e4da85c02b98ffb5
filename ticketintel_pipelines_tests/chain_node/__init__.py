"""What only a real node can show: tests that skip, with the reason, where anvil or Vyper is not installed."""
