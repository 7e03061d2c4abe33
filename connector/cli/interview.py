"""The questions of `connector init`: answered by options, by the environment, or by a person at a terminal."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import click

from connector.cli.common import lookup_or_fail

if TYPE_CHECKING:
    from connector.settings.setup import SetupPart
    from mappings.setup_questions import SetupQuestion


def is_terminal() -> bool:
    return sys.stdin.isatty()


@dataclass(slots=True, kw_only=True)
class Interview:
    """Collects answers. Without a terminal, it collects what lacks instead of asking.

    Args:
        options: answers and settings by name, from the options.
    """

    options: Mapping[str, str]
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    is_interactive: bool = field(default_factory=is_terminal)
    missing: list[str] = field(default_factory=list)  # what has to be given
    faults: list[str] = field(default_factory=list)  # what is wrong with what was given
    used: set[str] = field(default_factory=set)  # names of `options`

    def choose(self, label: str, option: str, value: str | None, choices: Sequence[str]) -> str:
        """Return one of `choices`. Raises `click.UsageError` if there is no terminal, and it is not given."""
        if value is not None:
            return lookup_or_fail(label, value, {choice: choice for choice in choices})
        if not self.is_interactive:
            raise click.UsageError(f"give {option}: {', '.join(choices)}.")
        answer: str = click.prompt(label.capitalize(), type=click.Choice(choices), err=True)
        return answer

    def build_part(self, kind: Literal["storefront", "destination"], integration: str, name: str) -> "SetupPart":
        """Return the store or account with the settings that were given by name."""
        from connector.settings.setup import SetupPart, secret_settings, setting_names

        part = SetupPart(kind=kind, integration=integration, name=name)
        questions = {question.name for question in part.plan.questions}
        names = (setting_names(kind, integration) & self.options.keys()) - questions
        for setting in sorted(names):
            if setting in secret_settings(kind, integration):
                self.faults.append(f"{setting} may be a secret, which is not given on the command line.")
            part.extra_settings[setting] = self.options[setting]
        self.used |= names
        return part

    def ask_all(self, part: "SetupPart") -> None:
        """Answer the questions about a store or an account."""
        for question in part.plan.questions:
            if question.applies(part.answers):
                self.ask(part, question)
        for setting in part.extra_settings:
            self.faults += [f"{setting} {error}" for error in part.find_errors_of(setting)]

    def ask(self, part: "SetupPart", question: "SetupQuestion") -> None:
        if (answer := self.find_answer(part, question)) is not None:
            part.set_answer(question, answer)
            label = part.variable(question) if question.is_secret else question.name
            self.faults += [f"{label}: {error}" for error in part.find_errors(question)]
        elif self.is_interactive:
            self.prompt(part, question)
        elif not question.is_optional:
            variable = f"the environment variable {part.variable(question)}"
            self.missing.append(f"{variable if question.is_secret else option_for(question)}: {question.prompt}")

    def find_answer(self, part: "SetupPart", question: "SetupQuestion") -> str | None:
        """Return what the options or the environment answer, or a generated secret."""
        from connector.settings.setup import generate_secret

        if question.is_secret:
            if question.name in self.options:
                self.used.add(question.name)
                variable = part.variable(question)
                self.faults.append(f"{question.name} is a secret: set the environment variable {variable} instead.")
            answer = self.environ.get(part.variable(question)) or None
            return generate_secret() if answer is None and question.is_generated else answer
        if question.name in self.options:
            self.used.add(question.name)
            return self.options[question.name].strip()
        return None

    def prompt(self, part: "SetupPart", question: "SetupQuestion") -> None:
        """Ask until the answer is valid."""

        def validate(answer: str) -> list[str]:
            part.set_answer(question, answer)
            return part.find_errors(question)

        text = f"{question.prompt} ({question.hint})" if question.hint else question.prompt
        answer = prompt_until_valid(text, validate, is_optional=question.is_optional, is_secret=question.is_secret)
        part.set_answer(question, answer)

    def wants_to_correct(self) -> bool:
        return self.is_interactive and click.confirm("Enter the credentials again?", default=True, err=True)

    def ask_secrets_again(self, part: "SetupPart") -> None:
        for question in part.plan.questions:
            if question.is_secret and not question.is_generated and question.applies(part.answers):
                self.prompt(part, question)

    def ask_public_url(self, value: str | None) -> str | None:
        from connector.settings.setup import find_public_url_errors

        if value is not None:
            self.faults += [f"--public-url {error}" for error in find_public_url_errors(value)]
            return value
        if not self.is_interactive:
            return None
        text = (
            "Address at which storefronts will reach this service (such as https://pedidos.example.com; may be empty)"
        )
        return prompt_until_valid(text, find_public_url_errors, is_optional=True) or None

    def finish(self) -> None:
        """Raise `click.UsageError` if something lacks, is wrong or is unknown."""
        self.faults += [
            f"{name} is not a setting of the store or the account." for name in self.options.keys() - self.used
        ]
        if self.missing or self.faults:
            lines = [*self.faults, *(["These answers are missing:"] if self.missing else []), *self.missing]
            raise click.UsageError("\n".join(lines))


def option_for(question: "SetupQuestion") -> str:
    return "--shop" if question.name == "shop" else f"--set {question.name}=…"


def prompt_until_valid(
    text: str, find_errors: Callable[[str], list[str]], *, is_optional: bool = False, is_secret: bool = False
) -> str:
    """Ask until `find_errors` returns nothing. An optional answer may be empty."""
    while True:
        default = "" if is_optional else None
        answer = click.prompt(text, default=default, show_default=False, hide_input=is_secret, err=True).strip()
        if not answer and is_optional:
            return ""
        errors = find_errors(answer)
        if not errors:
            return answer
        for error in errors:
            click.echo(f"  {error}", err=True)
