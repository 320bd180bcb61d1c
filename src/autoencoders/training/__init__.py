"""A training: from resolved parameters and rows to a trained model."""
