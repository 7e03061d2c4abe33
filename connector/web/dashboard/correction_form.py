"""The form in which a person enters what an order lacks, and the list of what was entered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.database.corrections import find_effect, list_corrections
from connector.database.models import Delivery, OrderCorrection
from connector.delivery.corrections import find_correctable
from connector.runtime import Runtime
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import render_label, translate_problem, translate_text
from mappings.correctable_fields import parse_item, render_field
from mappings.labels import render_path
from mappings.problems import FieldValues, Problem

#: What the name of a form's input begins with; the field's name follows.
INPUT_PREFIX = "value:"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    name: str
    label: str
    choices: Sequence[str]
    value: str = ""  # what was sent and refused; never a guess

    @property
    def input_name(self) -> str:
        return INPUT_PREFIX + self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class FormReading:
    """One way to read an ambiguous address, as a button."""

    label: str
    values: dict[str, str]  # by the names of hidden inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class EnteredField:
    label: str
    row: OrderCorrection


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionForm:
    """The form of a delivery's page.

    Args:
        errors: why the values that were sent are refused.
        effect: what saving means for the delivery, unless it is sent then.
    """

    fields: list[FormField]
    readings: list[FormReading]
    entered: list[EnteredField]
    errors: Sequence[str] = ()
    effect: str | None = None


def build_correction_form(
    runtime: Runtime, delivery: Delivery, *, values: Mapping[str, str] | None = None, errors: Sequence[str] = ()
) -> CorrectionForm:
    """Return the form for a delivery's problems.

    Args:
        values: by field, as they were sent and refused.
    """
    correctable, values = find_correctable(runtime, delivery), values or {}
    effect = find_effect(delivery)
    return CorrectionForm(
        fields=[
            FormField(
                name=field.field,
                label=field_label(field.field, field.problem),
                choices=field.choices,
                value=values.get(field.field, ""),
            )
            for field in correctable.fields
        ],
        readings=[
            FormReading(label=reading_label(reading), values={INPUT_PREFIX + name: value for name, value in reading})
            for reading in correctable.readings
        ],
        entered=[
            EnteredField(label=render_label(render_field(row.field, translate_text)), row=row)
            for row in list_corrections(runtime.database, delivery.store, delivery.order_id)
        ],
        errors=errors,
        effect=None if effect.code == "correction_queued" else translate_problem(effect),
    )


def field_label(field: str, problem: Problem) -> str:
    """Return the words of the problem: for a product's field, the number of its line and not the store's id."""
    is_numbered = parse_item(field) is not None and any(isinstance(step, int) for step in problem.path)
    name = render_path(problem.path, translate_text) if is_numbered else render_field(field, translate_text)
    return render_label(name)


def reading_label(reading: FieldValues) -> str:
    """Return “Street: Calle 10 · Number: 20”."""
    labels = {
        "ship_to.street": _("Street"),
        "ship_to.number": _("Number"),
        "ship_to.unit": _("Interior number"),
    }
    return " · ".join(f"{labels[name]}: {value}" for name, value in reading)
