"""Judging saved models: metrics with intervals, baselines, figures, leaderboard and report."""
