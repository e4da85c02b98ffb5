"""Blocks and logs of a chain taken from its nodes, complete and in order.

`fetch` is the way in. `ranges` sizes the questions, `parse` and its compiled half `scan` turn answers into columns, `verify`
compares them with the headers, `bloom`, `receipts` and `header_chain` are the mathematics it stands on. How questions travel
is the business of `chain.rpc`; what becomes of the rows is that of the stages.
"""
