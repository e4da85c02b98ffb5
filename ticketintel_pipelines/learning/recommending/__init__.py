"""Recommending items to users: content, neighbours and factors blended, judged on days to come, with reasons.

What users and items are is the caller's business. Everything starts from a `Known`: what was known at an instant. Items that
live for days make factors of last week worthless, so a version keeps settings and weights alone, and the matrices are made anew
of what is known when it recommends.
"""
