import pytest

from tlkit.errors import UsageError
from tlkit.recipe import read_recipe


def test_a_recipe_name_that_is_not_known():
    with pytest.raises(UsageError, match="course-mixed7"):
        read_recipe("course-mixed8")
    with pytest.raises(UsageError, match="no recipe file"):
        read_recipe("nowhere.yaml")
