"""Fixtures for the dashboard's tests."""

import pytest

from tests.support.service import Service
from tests.support.visitor import ANA, PASSWORD, Visitor, visit


@pytest.fixture
def ana(service: Service) -> Visitor:
    """An operator, signed in."""
    visitor = visit(service, ANA)
    assert visitor.sign_in(PASSWORD, "ana").status_code == 302
    return visitor
