"""Optuna studies: one a type, outside of DVC's outputs, open to several workers.

Only this package imports optuna.
"""
