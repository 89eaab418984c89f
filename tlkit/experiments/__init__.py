"""Several trainings: cross-validation, comparison, search and curves."""
