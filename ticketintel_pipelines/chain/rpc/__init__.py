"""Talking JSON-RPC to the nodes of one chain: several endpoints, told apart by what is wrong when something is.

`endpoint` is one HTTP exchange, `session` the questions put to one endpoint with retries, `client` the fail-over between
endpoints, `dialects` the errors as the providers word them. What is asked for and how it is checked is the business of
`chain.extraction`.
"""
