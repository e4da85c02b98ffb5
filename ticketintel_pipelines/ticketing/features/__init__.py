"""Features of ticket transactions: what is seen of them, and the families that are made of it."""
