"""A trained model as a value: encode, decode, sample, trust, loadings, file."""
