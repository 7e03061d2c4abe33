"""What `connector init` asks about a store or an account, and the settings that the answers become."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupQuestion:
    """One question. A question whose answer has a good default is not asked: the setting has that default.

    Args:
        name: by which `SetupPlan.settings` refers to the answer.
        prompt: what is asked.
        hint: where people find the answer, or what it looks like.
        is_secret: asked without echo, and kept in the environment instead of the configuration.
        is_generated: a secret that is made at random.
        is_address: a web address, which begins with https:// unless the answer says otherwise.
        is_optional: it may be left empty.
        needs: asked only if the question of this name was answered.
        unless: asked only if the question of this name was left empty.
    """

    name: str
    prompt: str
    hint: str = ""
    is_secret: bool = False
    is_generated: bool = False
    is_address: bool = False
    is_optional: bool = False
    needs: str | None = None
    unless: str | None = None

    def applies(self, answers: Mapping[str, str]) -> bool:
        """Return whether it is asked after these answers."""
        is_needed = self.needs is None or bool(answers.get(self.needs))
        return is_needed and not (self.unless is not None and answers.get(self.unless))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPlan:
    """The questions of one integration, in order.

    Args:
        settings: setting -> its value, in which `{name}` stands for an answer. Values may be lists and tables of texts.
            What lacks an answer is left out.
    """

    questions: tuple[SetupQuestion, ...]
    settings: Mapping[str, Any]

    def build_settings(self, answers: Mapping[str, str]) -> dict[str, Any]:
        """Return the settings that these answers complete."""
        settings = {name: fill_template(template, answers) for name, template in self.settings.items()}
        return {name: value for name, value in settings.items() if value is not None}

    def settings_about(self, question: str) -> set[str]:
        """Return the names of the settings that have the answer to a question."""
        return {name for name, template in self.settings.items() if question in find_placeholders(template)}


def fill_template(template: Any, answers: Mapping[str, str]) -> Any:
    """Return the template with the answers in it; None if one is missing."""
    if isinstance(template, Mapping):
        values = {name: fill_template(item, answers) for name, item in template.items()}
        return {name: value for name, value in values.items() if value is not None} or None
    if isinstance(template, list | tuple):
        return [value for item in template if (value := fill_template(item, answers)) is not None] or None
    if not all(answers.get(name) for name in find_placeholders(template)):
        return None
    return PLACEHOLDER.sub(lambda match: answers[match[1]], template)


def find_placeholders(template: Any) -> set[str]:
    if isinstance(template, Mapping):
        return {name for item in template.values() for name in find_placeholders(item)}
    if isinstance(template, list | tuple):
        return {name for item in template for name in find_placeholders(item)}
    return set(PLACEHOLDER.findall(template))
