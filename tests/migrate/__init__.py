import pytest

pytest.register_assert_rewrite("tests.migrate.tools")
