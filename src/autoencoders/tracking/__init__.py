"""MLflow: the store, the runs, the registered models. Only this package imports mlflow."""
