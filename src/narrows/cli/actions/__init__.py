"""What the verbs do: read files, call the package, print, write."""
