"""Named jobs as data files: one TOML file is one recipe, found by the name of the file."""

from narrows.recipes.runner import (
    Recipe,
    RecipeResult,
    read_recipe,
    recipe_names,
    refuse_existing,
    run_recipe,
)

__all__ = [
    "Recipe",
    "RecipeResult",
    "read_recipe",
    "recipe_names",
    "refuse_existing",
    "run_recipe",
]
