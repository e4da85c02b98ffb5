"""TicketIntel: the nightly batch pipeline of an NFT ticketing platform."""
