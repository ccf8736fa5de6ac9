"""Small things that everything may use and that know no autoencoder."""
