"""What is known of rows without training: PCA, scaling, exact neighbours."""
