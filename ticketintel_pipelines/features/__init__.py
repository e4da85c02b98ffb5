"""Point-in-time features of any domain: folds over the rows of one key in time order, their states, and the transfer graph.

What a feature means belongs to the domains; what is here knows keys, instants and whole numbers only.
"""
