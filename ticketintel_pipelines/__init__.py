"""Nightly batch pipeline of an NFT ticketing platform: extract, validate, publish, learn, score, view."""

import os

# Threads of XGBoost and LightGBM spin while they wait for one another; where other work shares the cores that takes ten times
# as long. It is read when the first of these libraries is loaded, so that it has to be set here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
