"""The verbs by the panel of the help that they stand in: signatures, and a call each."""
