"""Many small trainings on stored features, to choose and to judge by."""
