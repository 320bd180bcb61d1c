"""Judging saved models: metrics with intervals, baselines, figures, the leaderboard and the report."""
