"""What several families share: losses, likelihoods, corruptions, distributions of codes."""
