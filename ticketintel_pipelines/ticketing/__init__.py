"""The ticketing business: tickets sold as tokens, with the platform's records beside the chain's."""
