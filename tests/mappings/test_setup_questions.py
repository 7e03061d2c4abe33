"""What `connector init` asks: each integration's questions fit its settings."""

from dataclasses import fields
from typing import Any

import pytest

from mappings import DESTINATIONS, STOREFRONTS
from mappings.setup_questions import SetupPlan, SetupQuestion, fill_template

INTEGRATIONS: dict[str, Any] = {**STOREFRONTS, **DESTINATIONS}


def plan_of(name: str) -> SetupPlan:
    plan: SetupPlan | None = INTEGRATIONS[name].setup_plan
    assert plan is not None
    return plan


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_every_question_is_about_a_setting(name: str) -> None:
    plan = plan_of(name)
    assert plan.settings.keys() <= INTEGRATIONS[name].settings_schema().fields.keys()
    names = [question.name for question in plan.questions]
    assert len(names) == len(set(names))
    assert [question for question in names if not plan.settings_about(question)] == []
    answers = dict.fromkeys(names, "x")
    assert plan.build_settings(answers).keys() == plan.settings.keys()  # no placeholder is unknown


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_questions_depend_on_earlier_ones(name: str) -> None:
    earlier: set[str | None] = {None}
    for question in plan_of(name).questions:
        assert {question.needs, question.unless} <= earlier
        earlier.add(question.name)


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_answers_to_secret_settings_are_secrets(name: str) -> None:
    model = INTEGRATIONS[name].settings_schema.model
    secret_settings = {setting.name for setting in fields(model) if not setting.repr}
    plan = plan_of(name)
    for question in plan.questions:
        settings = plan.settings_about(question.name)
        assert question.is_secret == bool(settings & secret_settings), question.name


def test_settings_without_an_answer_are_left_out() -> None:
    plan = SetupPlan(
        questions=(SetupQuestion(name="a", prompt="A"), SetupQuestion(name="b", prompt="B", is_optional=True)),
        settings={
            "one": "{a}",
            "both": "{a}:{b}",
            "list": ["{b}"],
            "table": {"x": "{a}", "y": "{b}"},
            "none": {"z": "{b}"},
        },
    )
    assert plan.build_settings({"a": "1", "b": ""}) == {"one": "1", "table": {"x": "1"}}
    assert plan.build_settings({"a": "1", "b": "2"}) == {
        "one": "1",
        "both": "1:2",
        "list": ["2"],
        "table": {"x": "1", "y": "2"},
        "none": {"z": "2"},
    }


def test_an_answer_is_not_a_template() -> None:
    assert fill_template("{a}-{b}", {"a": "{b}", "b": "\\1"}) == "{b}-\\1"


def test_a_question_applies_by_the_answers_before_it() -> None:
    needs = SetupQuestion(name="x", prompt="X", needs="a")
    unless = SetupQuestion(name="y", prompt="Y", unless="a")
    assert [(needs.applies(answers), unless.applies(answers)) for answers in ({}, {"a": ""}, {"a": "1"})] == [
        (False, True),
        (False, True),
        (True, False),
    ]
