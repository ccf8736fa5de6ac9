"""The page of a map: what it holds, and the script that draws it."""
