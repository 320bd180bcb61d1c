"""Autoencoders in a pipeline: five types behind one switch, from raw data to a registered model."""
