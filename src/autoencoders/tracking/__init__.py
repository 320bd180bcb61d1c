"""MLflow's store and runs: recorded beside the work, sent, and found again."""
