"""Learning: temporal splits, training, calibration, evaluation, leak tests, drift, and the registry of trained models.

Knows no domain. A domain declares its models (`declaration.py`) and hands over `Examples`; everything else follows from these.
"""
